"""A command as a value: what would be run, why, and with what; nothing here runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

# For what takes longer the more data there is; making a database anew takes longer than copying it.
COPY_TIMEOUT = 6 * 3600.0
REBUILD_TIMEOUT = 12 * 3600.0


@dataclass(frozen=True, slots=True)
class Command:
    """One program call.

    `purpose` is a present participle for people ("Starting the database"); `environment` is added to ours, and is
    where secrets travel; `without` are variables of the operator's shell that it must not see; `stdin` is fed
    as UTF-8 text; `timeout` is in seconds; `interactive` hands over the terminal.
    """

    argv: tuple[str, ...]
    purpose: str
    environment: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()
    stdin: str | None = None
    timeout: float = 120.0
    interactive: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended: exit code, standard output and standard error as text."""

    code: int
    stdout: str
    stderr: str
