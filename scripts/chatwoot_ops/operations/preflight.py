"""Whether this machine can carry the stack. Looks at everything, touches nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, docker
from chatwoot_ops.errors import OpsError, PreflightFailedError
from chatwoot_ops.model.check import Check, failed, failures, passed, warned
from chatwoot_ops.model.size import parse_size, show_size
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.operations.containers import containers_of
from chatwoot_ops.operations.volumes import volume_checks

OLDEST_ENGINE = (20, 10)
LEAST_DISK = 5 * 1024**3
MOST_CLOCK_DIFFERENCE_SECONDS = 30
ARCHITECTURES = {"x86_64", "amd64", "aarch64", "arm64"}
MEMORY_LIMITS = ("RAILS_MEMORY_LIMIT", "SIDEKIQ_MEMORY_LIMIT", "POSTGRES_MEMORY_LIMIT", "REDIS_MEMORY_LIMIT")


def preflight(stack: Stack, host: Host) -> tuple[Check, ...]:
    """Every check, in order. Where the engine does not answer, what depends on it is failed, not passed."""
    engine = engine_check(host)
    machine = (_memory(stack, host), _architecture(host), _overcommit(host))
    if engine.outcome != "pass":
        return (engine, *machine)
    checks: tuple[tuple[str, Callable[[Stack, Host], tuple[Check, ...]]], ...] = (
        ("Docker Compose", _compose),
        ("ports", _ports),
        ("disk", _disk),
        ("clock", _clock),
        ("images", image_checks),
        ("volumes", volume_checks),
    )
    return (engine, *machine, *(check for name, ask in checks for check in could_ask(name, ask, stack, host)))


def require(checks: tuple[Check, ...]) -> None:
    """Raises PreflightFailedError with every failed check and its remedy; returns when there is none."""
    bad = failures(checks)
    if bad:
        details = tuple(f"{check.name}: {check.seen}\n    {check.remedy}" for check in bad)
        raise PreflightFailedError(
            "This machine cannot carry the stack yet", details=details, remedy="Nothing was changed."
        )


def could_ask(
    name: str, ask: Callable[[Stack, Host], tuple[Check, ...]], stack: Stack, host: Host
) -> tuple[Check, ...]:
    """The checks, or one failed check when they could not be made: "could not check" is a failure."""
    try:
        return ask(stack, host)
    except OpsError as error:
        seen = " ".join((f"could not check: {error.message}", *error.details[-1:]))
        return (failed(name, seen, error.remedy or "Put that right, then run this again"),)


def engine_check(host: Host) -> Check:
    """Whether a Docker Engine answers, and is not too old for what the stack asks of it."""
    if not host.processes.find("docker"):
        return failed("Docker Engine", "there is no docker program", "Type 'scripts/install-docker'")
    answer = host.processes.try_run(docker.version())
    if "permission denied" in answer.stderr.lower():
        remedy = "Type 'sudo usermod -aG docker $USER', then log out and in again"
        return failed("Docker Engine", "you may not use its socket", remedy)
    version = answer.stdout.strip()
    number = re.match(r"(\d+)\.(\d+)", version)
    if answer.code != 0 or not number:
        return failed("Docker Engine", "no engine answers", "Type 'scripts/install-docker'")
    if (int(number[1]), int(number[2])) < OLDEST_ENGINE:
        return failed(
            "Docker Engine",
            f"version {version} is older than 20.10",
            "Upgrade it with your distribution's packages",
        )
    return passed("Docker Engine", f"version {version}")


def _compose(stack: Stack, host: Host) -> tuple[Check, ...]:
    # Before the secrets are made the files cannot be read whole: then only the program is asked.
    complete = stack.settings["POSTGRES_PASSWORD"] and stack.settings["SECRET_KEY_BASE"] and stack.env_file.exists()
    verb = ("config", "--quiet") if complete else ("version", "--short")
    command = compose.compose(stack, host.compose, *verb, purpose="Checking the compose files")
    answer = host.processes.try_run(command)
    if answer.code != 0:
        seen = host.processes.mask(answer.stderr.strip())[-300:]
        return (
            failed(
                "Docker Compose",
                f"does not accept the compose files: {seen}",
                "Correct .env or run scripts/bootstrap again",
            ),
        )
    return (passed("Docker Compose", "accepts the compose files" if complete else f"version {answer.stdout.strip()}"),)


def _memory(stack: Stack, host: Host) -> Check:
    limits = (*MEMORY_LIMITS, *(("WAL_MEMORY_LIMIT",) if stack.archives else ()))
    asked = sum(parse_size(stack.settings[name]) for name in limits)
    there = host.machine.memory()
    seen = f"{show_size(there)} there, limits add up to {show_size(asked)}"
    if there < asked:
        return failed("memory", seen, f"Lower {', '.join(limits)} in .env, or add memory")
    return passed("memory", seen)


def _architecture(host: Host) -> Check:
    name = host.machine.architecture()
    if name not in ARCHITECTURES:
        return failed("architecture", f"{name}: Chatwoot's images exist for amd64 and arm64", "Use such a machine")
    return passed("architecture", name)


def _overcommit(host: Host) -> Check:
    value = host.machine.kernel_setting("vm.overcommit_memory")
    if value == "1":
        return passed("vm.overcommit_memory", value)
    remedy = "Redis may fail to save under memory pressure: sudo sysctl -w vm.overcommit_memory=1"
    return warned("vm.overcommit_memory", value or "unknown", remedy)


def _ports(stack: Stack, host: Host) -> tuple[Check, ...]:
    if any(container.state == "running" for container in containers_of(stack, host)):
        return (passed("ports", "held by this stack"),)
    address = stack.settings["BIND_ADDRESS"]
    return tuple(
        passed(f"port {port}", "free")
        if host.machine.port_is_free(address, port)
        else failed(
            f"port {port}",
            "used by another program",
            f"See 'ss -ltnp | grep {port}', or set another {name} in .env",
        )
        for name, port in stack.ports.items()
    )


def _disk(stack: Stack, host: Host) -> tuple[Check, ...]:
    folder = host.processes.run(docker.root_folder()).stdout.strip()
    free = min(host.machine.free_disk(path) for path in (Path(folder), stack.env_file.parent))
    seen = f"{show_size(free)} free for images and volumes"
    if free < LEAST_DISK:
        return (failed("disk", seen, f"Free {show_size(LEAST_DISK - free)} more; docs/runbooks/disk-full.md says how"),)
    return (passed("disk", seen),)


def _clock(_: Stack, host: Host) -> tuple[Check, ...]:
    command = docker.docker("info", "--format", "{{.SystemTime}}", purpose="Asking for the engine's time")
    text = host.processes.run(command).stdout.strip()
    try:
        engine = datetime.fromisoformat(text[:19] + "+00:00" if text.endswith("Z") else text)
    except ValueError:
        return (failed("clock", f"could not check: the engine says '{text}'", "Type 'docker info' and look"),)
    difference = abs((host.clock.now() - engine).total_seconds())
    if difference > MOST_CLOCK_DIFFERENCE_SECONDS:
        return (
            failed(
                "clock",
                f"the engine's differs by {difference:.0f} s",
                "Synchronize it: timedatectl set-ntp true",
            ),
        )
    return (passed("clock", "the engine's agrees"),)


def image_checks(stack: Stack, host: Host) -> tuple[Check, ...]:
    """Whether each image is here or its registry has it."""
    return tuple(_image(image, setting, host) for setting, image in _images(stack))


def _images(stack: Stack) -> tuple[tuple[str, str], ...]:
    names = {RAILS: "CHATWOOT_IMAGE", "chatwoot-db": "POSTGRES_IMAGE", "chatwoot-redis": "REDIS_IMAGE"}
    return tuple((names[service], image) for service, image in stack.images.items())


def _image(image: str, setting: str, host: Host) -> Check:
    name = f"image {image}"
    if host.processes.try_run(docker.image_id(image)).code == 0:
        return passed(name, "here")
    answer = host.processes.try_run(docker.manifest(image))
    if answer.code == 0:
        return passed(name, "its registry has it")
    reason = (answer.stderr.strip().splitlines() or ["no answer"])[-1][:200]
    unknown = "no such manifest" in reason or "not found" in reason or "unauthorized" in reason
    seen = "its registry does not have it" if unknown else f"not here, and its registry cannot be asked: {reason}"
    return failed(name, seen, f"Correct {setting} in .env, or load the image with 'docker load'")
