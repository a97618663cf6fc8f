"""The whole life of a stack on a throwaway one: set up, used, lost, brought back, upgraded, undone, taken down."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.errors import CommandFailedError, SettingsInvalidError
from chatwoot_ops.model.check import Check
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.operations.opening import Place, open_with
from chatwoot_ops.operations.preflight import engine_check, require
from chatwoot_ops.operations.rehearsal_steps import RehearsalStep, Releases, Run, proved, whole_life
from chatwoot_ops.operations.setup import set_up
from chatwoot_ops.operations.throwaway import throwaway

FAKE = "chatwoot-sandbox/chatwoot-fake"
SANDBOX = Releases(
    older=f"{FAKE}:v4.14.2-ce",
    newer=f"{FAKE}:v4.15.1-ce",
    failing=f"{FAKE}:v4.15.2-ce",
    others={"POSTGRES_IMAGE": "chatwoot-sandbox/postgres:pg16", "REDIS_IMAGE": "chatwoot-sandbox/redis:7"},
)
REAL = "chatwoot/chatwoot"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What was rehearsed, on which images, step by step, the seconds from loss to proof, and the last smoke check."""

    images: str
    fake: bool
    steps: tuple[RehearsalStep, ...]
    recovery_seconds: float
    checks: tuple[Check, ...]


def rehearse(place: Place, host: Host, *, images: str = "", quick: bool = False) -> Rehearsal:
    """Runs the whole life of a throwaway stack; with `quick` only set-up, the smoke check and the removal.

    Raises the error of the step that failed; the throwaway stack is removed all the same.
    """
    require((engine_check(host),))
    run = Run(host)
    kind = _kind(place, host, images)
    releases = run.step("images", lambda: _get_images(place, host, kind))
    first = releases.newer if quick else releases.older
    with throwaway(place, host, {**releases.others, "CHATWOOT_IMAGE": first}) as stack_place:
        run.step("setup", lambda: set_up(stack_place.place, host, quick=True))
        checks = run.step("smoke", lambda: proved(open_with(stack_place.place, host), host, quick=False))
        if not quick:
            checks = whole_life(run, stack_place.place, host, releases)
        began = host.clock.monotonic()
    run.steps.append(RehearsalStep("tear down", round(host.clock.monotonic() - began, 1)))
    return Rehearsal(kind, kind == "sandbox", tuple(run.steps), run.recovery_seconds, checks)


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


def _get_images(place: Place, host: Host, kind: str) -> Releases:
    if kind == "sandbox":
        host.reporter.step("Building the sandbox images where they are missing")
        build_sandbox(place.compose_folder.parent / "sandbox" / "build", host)
        return SANDBOX
    newer = f"{REAL}:v4.15.1-ce"
    host.processes.run(docker.pull(newer))
    failing = f"{REAL}:v4.15.999-ce"
    host.processes.run(docker.build_failing_release(newer, failing, "4.15.999"))
    return Releases(f"{REAL}:v4.14.2-ce", newer, failing, {})


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
