"""The only place that prints: progress to standard error, answers to standard output, errors in four parts."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.status import Status as Spinner
from rich.text import Text

from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.check import Check, Outcome, failures
from chatwoot_ops.model.size import show_size
from chatwoot_ops.operations.opening import Place, place_of
from chatwoot_ops.operations.status import Status

JSON_FORMAT = 1
_PLAIN_WIDTH = 160


def _console(stream: Any) -> Console:
    terminal = stream.isatty()
    width = None if terminal else _PLAIN_WIDTH
    # Names, addresses and log lines are text: a bracket in them is no markup.
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=not terminal)


class ConsoleReporter:
    """Tells what goes on: a spinner on a terminal, and a line with its time when a step is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._console = _console(sys.stderr)
        self._spinner: Spinner | None = None
        self._step, self._began = "", 0.0

    def step(self, text: str) -> None:
        """Ends the step before and begins this one."""
        self.finish()
        self._step, self._began = text, self._clock.monotonic()
        if self._console.is_terminal:
            self._spinner = self._console.status(Text(text))
            self._spinner.start()

    def finish(self) -> None:
        """Ends the last step."""
        if self._spinner:
            self._spinner.stop()
            self._spinner = None
        if self._step:
            seconds = self._clock.monotonic() - self._began
            self._console.print(Text(f"{self._step} ({seconds:.1f} s)"))
        self._step = ""

    def note(self, text: str) -> None:
        """A line that is no step."""
        self._console.print(Text(f"  {text}"))

    def confirm(self, question: str) -> bool | None:
        """Yes only for "yes", typed in full at a terminal."""
        answer = self.ask(f"{question} Type yes to confirm")
        return None if answer is None else answer.strip().lower() == "yes"

    def ask(self, question: str, *, secret: bool = False) -> str | None:
        """What is typed at the terminal; None where there is none."""
        self.finish()
        if not sys.stdin.isatty():
            return None
        return getpass.getpass(f"{question}: ") if secret else input(f"{question}: ")


def open_session(repository: Path, env_file: str) -> tuple[Place, Host, ConsoleReporter]:
    """The stack's place, the machine with the locked Compose beside this Python, and somebody who tells."""
    clock = Clock()
    reporter = ConsoleReporter(clock)
    compose = Path(sys.executable).with_name("docker-compose")
    return place_of(repository, env_file), Host(compose, clock=clock, reporter=reporter), reporter


def answer(result: Any, *, as_json: bool = False, junit: str = "") -> bool:
    """Shows a result, writes the JUnit file where one is asked for; says whether it holds a failed check."""
    if result is None:
        return False
    show(result, as_json=as_json)
    checks = result if isinstance(result, tuple) else getattr(result, "checks", ())
    if junit:
        write_atomically(Path(junit), to_junit(checks), mode=0o644)
    return bool(failures(checks))


def to_junit(checks: tuple[Check, ...]) -> str:
    """The checks as one JUnit suite: a failed check is a failure, one left out or not configured is skipped."""
    bad = failures(checks)
    suite = ET.Element("testsuite", name="chatwoot", tests=str(len(checks)), failures=str(len(bad)))
    for check in checks:
        case = ET.SubElement(suite, "testcase", classname="chatwoot", name=check.name)
        if check.outcome is Outcome.FAIL:
            ET.SubElement(case, "failure", message=check.seen).text = check.remedy
        elif check.outcome in {Outcome.NOT_CONFIGURED, Outcome.LEFT_OUT}:
            ET.SubElement(case, "skipped", message=check.seen)
        else:
            ET.SubElement(case, "system-out").text = f"{check.outcome.value}: {check.seen}"
    return ET.tostring(suite, encoding="unicode", xml_declaration=True)


def print_line(line: str) -> None:
    """One line of an answer, as it is."""
    print(line, flush=True)  # noqa: T201 - this module is the one that prints


def show(result: Any, *, as_json: bool = False) -> None:
    """Shows a result: a table or lines for people, one versioned JSON object for machines."""
    if as_json:
        print_line(to_json(result))
        return
    console = _console(sys.stdout)
    for line in _RENDERERS[type(result).__name__](result):
        console.print(line)


def to_json(result: Any) -> str:
    """The result as JSON: {"format": 1, "kind": ..., "result": ...}."""
    body = (
        asdict(result) if is_dataclass(result) and not isinstance(result, type) else [asdict(each) for each in result]
    )
    kind = type(result).__name__ if is_dataclass(result) else "Checks"
    return json.dumps({"format": JSON_FORMAT, "kind": kind, "result": body}, default=str, sort_keys=True)


def explain(error: OpsError) -> str:
    """An error in four parts: what failed, why, in what state things are, what to type next."""
    return "\n".join(
        (error.message, *(f"  {line}" for line in error.details), *((error.remedy,) if error.remedy else ()))
    )


_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "not configured": "dim", "left out": "dim"}


def _checks(checks: tuple[Check, ...]) -> list[Text]:
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        line = Text(f"{check.outcome.value:<14}  ", style=_STYLES[check.outcome.value])
        line.append(f"{check.name:<{width}}  {check.seen}", style="default")
        lines.append(line)
        if check.remedy and check.outcome in {"warn", "fail"}:
            lines.append(Text(f"{'':<14}  {'':<{width}}  -> {check.remedy}"))
    counted = {value: sum(check.outcome == value for check in checks) for value in _STYLES}
    lines.append(Text(", ".join(f"{count} {value}" for value, count in counted.items() if count)))
    return lines


def _status(status: Status) -> list[str]:
    return [
        f"project    {status.project}",
        f"release    {status.release}" + (f"  (a FAKE of {status.fake}, not a real Chatwoot)" if status.fake else ""),
        f"address    {status.url}",
        f"instance   {status.instance or 'not set up yet'}",
        f"ports      {', '.join(f'{name} {port}' for name, port in status.ports.items())}",
        *(
            f"service    {each.service:<18} {each.state}, {each.health or 'no health'}, {each.restarts} restarts"
            for each in status.services
        ),
        *(f"volume     {name:<24} {size}" for name, size in status.volumes.items()),
        f"migrations {_pending(status.pending_migrations)}",
        f"cut off    {status.cut_off or 'nothing'}",
        f"backup     {status.last_backup or 'none yet: type invoke backup'}",
        f"state      {'healthy' if status.healthy else 'not healthy' if status.services else 'not running'}",
    ]


def _pending(pending: tuple[str, ...] | str) -> str:
    if isinstance(pending, str):
        return pending
    return f"{len(pending)} pending: {', '.join(pending)}" if pending else "none pending"


def _set_up(result: Any) -> list[Any]:
    made = []
    if result.administrator:
        made = [f"Administrator: {result.administrator} (account {result.account})"]
    if result.password:
        made.append(f"Password, shown this once: {result.password}")
    changed = [f"  {line}" for line in result.changed] or ["  nothing: everything was there already"]
    return [
        *_checks(result.checks),
        "Changed:",
        *changed,
        *made,
        f"Chatwoot {result.release} serves at {result.url}",
    ]


def _rehearsal(result: Any) -> list[Any]:
    width = max(len(step.name) for step in result.steps)
    steps = [f"{step.name:<{width}}  {step.seconds:6.1f} s" for step in result.steps]
    total = sum(step.seconds for step in result.steps)
    kind = (
        "sandbox images: a FAKE Chatwoot on a real PostgreSQL and Redis" if result.fake else "images from the registry"
    )
    recovery = [f"From loss to proof: {result.recovery_seconds} s"] if result.recovery_seconds else []
    return [
        *_checks(result.checks),
        *steps,
        f"{'in all':<{width}}  {total:6.1f} s",
        *recovery,
        f"The rehearsal passed on {kind}.",
    ]


def _migrated(result: Any) -> list[str]:
    lines = [f"{len(result.applied)} migrations ran, {result.total} are applied"]
    if result.data_migrations_waiting:
        lines.append(f"{result.data_migrations_waiting} data migrations wait for the worker; type 'invoke up'")
    return lines


def _set_line(each: BackupSet) -> str:
    manifest = each.manifest
    newest, verified = manifest.data.newest_message or "no message", each.verified or "never"
    return (
        f"{manifest.name:<28} {manifest.kind:<9} {show_size(each.size):>10}  {manifest.release:<12} "
        f"newest message {newest:<28} verified {verified}"
    )


def _backups(result: Any) -> list[str]:
    damaged = [f"{name}: cannot be read as a backup set" for name in result.damaged]
    return [*(_set_line(each) for each in result.sets), *damaged, f"{len(result.sets)} sets in {result.folder}"]


def _backed_up(result: Any) -> list[str]:
    storage, data = result.set.manifest.storage, result.set.manifest.data
    rows = sum(table.rows for table in data.tables.values())
    return [
        _set_line(result.set),
        f"{rows} rows in {len(data.tables)} tables, {storage.proved} of {storage.files} stored files proved",
        *(f"warning: {line}" for line in result.warnings),
        f"Sealed in {result.seconds} s: {result.set.path}",
    ]


def _restored(result: Any) -> list[str]:
    storage = result.storage
    against = f"{len(storage.missing)} missing, {len(storage.wrong)} wrong, {len(storage.orphaned)} without a row"
    return [
        f"{result.rows} rows in {result.tables} tables, {result.keys}",
        f"{storage.proved} stored files proved, {against}",
        f"Restored {result.source} in {result.seconds} s; the database was away for {result.away_seconds} s of them.",
    ]


def _upgraded(result: Any) -> list[str]:
    if not result.set:
        return [f"{result.release} runs already, with all its migrations; nothing to do."]
    return [
        f"{result.migrations} migrations ran; out of service for {result.away_seconds} s",
        f"The set made before: {result.set}",
        f"{result.release} serves. Back to {result.before}: 'invoke rollback'",
    ]


def _rolled_back(result: Any) -> list[str]:
    lost = ", ".join(f"{count} {name}" for name, count in result.lost.items()) or "nothing"
    return [f"{result.release} serves again with its data from before the upgrade; given up: {lost}"]


def _intended(result: Any) -> list[str]:
    return [*(f"dry run: {line}" for line in result.lines), "dry run: nothing was changed"]


_RENDERERS: dict[str, Callable[[Any], Any]] = {
    "tuple": _checks,
    "Status": _status,
    "SetUp": _set_up,
    "Rehearsal": _rehearsal,
    "Migrated": _migrated,
    "SecretsFilled": lambda result: [f"Filled in {result.path}: {', '.join(result.filled) or 'nothing, all are set'}"],
    "Started": lambda result: [f"{'Was running already' if result.already else 'Runs and is healthy'}: {result.url}"],
    "TakenDown": lambda result: [f"Down. Volumes removed: {', '.join(result.removed) or 'none, all data is kept'}"],
    "Intended": _intended,
    "Restored": _restored,
    "Upgraded": _upgraded,
    "RolledBack": _rolled_back,
    "Backups": _backups,
    "BackedUp": _backed_up,
    "BackupSet": lambda result: [_set_line(result), "Every checksum and the dump's table of contents were read back."],
    "Recovered": lambda result: [result.text],
}
