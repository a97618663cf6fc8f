"""The outcome of looking at one thing: a preflight check or a probe."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a check ended. What could not be checked is FAIL, never PASS."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    WARN = "warn"
    FAIL = "fail"
    NOT_CONFIGURED = "not configured"
    LEFT_OUT = "left out"


@dataclass(frozen=True, slots=True)
class Check:
    """One looked-at thing: its name, how it ended, what was seen, and what to do when it is not well."""

    name: str
    outcome: Outcome
    seen: str
    remedy: str = ""


def passed(name: str, seen: str) -> Check:
    """A check that found what it wanted."""
    return Check(name, Outcome.PASS, seen)


def failed(name: str, seen: str, remedy: str) -> Check:
    """A check that did not, or that could not be made."""
    return Check(name, Outcome.FAIL, seen, remedy)


def warned(name: str, seen: str, remedy: str) -> Check:
    """A check whose finding an operator should know, but that stops nothing."""
    return Check(name, Outcome.WARN, seen, remedy)


def failures(checks: Iterable[Check]) -> tuple[Check, ...]:
    """The checks that failed, in order."""
    return tuple(check for check in checks if check.outcome is Outcome.FAIL)
