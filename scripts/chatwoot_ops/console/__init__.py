"""The only place that prints: progress to standard error, answers to standard output, errors in four parts."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.console.rendering import RENDERERS
from chatwoot_ops.console.reporter import ConsoleReporter, console_of
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.check import Check, Outcome, failures
from chatwoot_ops.operations.opening import Place, place_of

JSON_FORMAT = 1


def open_session(repository: Path, env_file: str) -> tuple[Place, Host, ConsoleReporter]:
    """The stack's place, the machine with the locked Compose beside this Python, and somebody who tells."""
    clock = Clock()
    reporter = ConsoleReporter(clock)
    compose = Path(sys.executable).with_name("docker-compose")
    return place_of(repository, env_file), Host(compose, clock=clock, reporter=reporter), reporter


def answer(result: object, *, as_json: bool = False, junit: str = "") -> bool:
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


def show(result: object, *, as_json: bool = False) -> None:
    """Shows a result: a table or lines for people, one versioned JSON object for machines."""
    if as_json:
        print_line(to_json(result))
        return
    console = console_of(sys.stdout)
    for line in RENDERERS[type(result).__name__](result):
        console.print(line)


def to_json(result: object) -> str:
    """The result as JSON: {"format": 1, "kind": ..., "result": ...}."""
    kind = "Checks" if isinstance(result, tuple) else type(result).__name__
    return json.dumps({"format": JSON_FORMAT, "kind": kind, "result": _plain(result)}, default=str, sort_keys=True)


def _plain(result: object) -> object:
    if isinstance(result, tuple):
        return [_plain(each) for each in result]
    return asdict(result) if is_dataclass(result) and not isinstance(result, type) else result


def explain(error: OpsError) -> str:
    """An error in four parts: what failed, why, in what state things are, what to type next."""
    return "\n".join(
        (error.message, *(f"  {line}" for line in error.details), *((error.remedy,) if error.remedy else ()))
    )
