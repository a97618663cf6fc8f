"""The whole life of a stack on a throwaway one: set up, proved, each service restarted, proved again, taken down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.errors import CommandFailedError, SettingsInvalidError
from chatwoot_ops.model.check import Check
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.model.stack import SERVICES, Stack
from chatwoot_ops.operations.opening import Place, open_stack
from chatwoot_ops.operations.preflight import engine_check, require
from chatwoot_ops.operations.running import restart
from chatwoot_ops.operations.setup import set_up
from chatwoot_ops.operations.smoke import require_smoke, smoke
from chatwoot_ops.operations.throwaway import throwaway

SANDBOX_IMAGES = {
    "CHATWOOT_IMAGE": "chatwoot-sandbox/chatwoot-fake:v4.15.1-ce",
    "POSTGRES_IMAGE": "chatwoot-sandbox/postgres:pg16",
    "REDIS_IMAGE": "chatwoot-sandbox/redis:7",
}
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RehearsalStep:
    """One step and the seconds it took."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was rehearsed, on which images, step by step, and the last smoke check."""

    images: str
    fake: bool
    steps: tuple[RehearsalStep, ...]
    checks: tuple[Check, ...]


@dataclass(slots=True)
class _Run:
    host: Host
    steps: list[RehearsalStep] = field(default_factory=list)

    def step(self, name: str, act: Callable[[], Result]) -> Result:
        with self.host.timed() as spent:
            result = act()
        self.steps.append(RehearsalStep(name, round(spent[0], 1)))
        return result


def rehearse(place: Place, host: Host, *, images: str = "", quick: bool = False) -> Rehearsal:
    """Runs the whole life of a throwaway stack; with `quick` only set-up, the smoke check and the removal.

    Raises the error of the step that failed; the throwaway stack is removed all the same.
    """
    require((engine_check(host),))
    run = _Run(host)
    kind = _kind(place, host, images)
    chosen = run.step("images", lambda: _get_images(place, host, kind))
    checks: tuple[Check, ...] = ()
    with throwaway(place, host, chosen) as stack_place:
        run.step("setup", lambda: set_up(stack_place.place, host, quick=True))
        stack = open_stack(stack_place.place)
        checks = run.step("smoke", lambda: _proved(stack, host, quick=False))
        for service in () if quick else SERVICES:
            run.step(f"restart {service}", lambda service=service: restart(stack, host, service))  # type: ignore[misc]
            checks = run.step(f"smoke after {service}", lambda: _proved(stack, host, quick=True))
        began = host.clock.monotonic()
    run.steps.append(RehearsalStep("tear down", round(host.clock.monotonic() - began, 1)))
    return Rehearsal(kind, kind == "sandbox", tuple(run.steps), checks)


def _proved(stack: Stack, host: Host, *, quick: bool) -> tuple[Check, ...]:
    checks = smoke(stack, host, quick=quick)
    require_smoke(checks)
    return checks


def _kind(place: Place, host: Host, asked: str) -> str:
    if asked not in {"", "registry", "sandbox"}:
        raise SettingsInvalidError(
            f"--images must be registry or sandbox, not '{asked}'", remedy="Nothing was changed."
        )
    if asked:
        return asked
    image = Settings.merge(place.schema(), {})["CHATWOOT_IMAGE"]
    there = any(
        host.processes.try_run(command).code == 0 for command in (docker.image_id(image), docker.manifest(image))
    )
    kind = "registry" if there else "sandbox"
    reason = f"{image} can be had" if there else f"{image} cannot be had here; a fake Chatwoot stands in for it"
    host.reporter.note(f"Rehearsing on {kind} images: {reason}")
    return kind


def _get_images(place: Place, host: Host, kind: str) -> dict[str, str]:
    if kind == "registry":
        return {}
    host.reporter.step("Building the sandbox images where they are missing")
    build_sandbox(place.compose_folder.parent / "sandbox" / "build", host)
    return dict(SANDBOX_IMAGES)


def build_sandbox(script: Path, host: Host) -> None:
    """Builds the sandbox images whose inputs changed; the first time takes minutes.

    Raises CommandFailedError with the last lines of the build.
    """
    last: list[str] = []

    def each_line(line: str) -> None:
        last.append(line)
        host.reporter.note(line)

    code = host.processes.stream(Command((str(script),), "Building the sandbox images", timeout=3600), each_line)
    if code != 0:
        raise CommandFailedError(f"The sandbox images could not be built: exit code {code}", details=tuple(last[-15:]))
