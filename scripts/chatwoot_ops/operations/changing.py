"""What every changing operation does first and last: the lock, the journal, and an end that is written down."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NoReturn
from uuid import uuid4

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.journal_store import JournalStore
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.commands import docker
from chatwoot_ops.errors import InterruptedByOperatorError, OpsError, StackLockedError
from chatwoot_ops.model.journal import Journal, Opening
from chatwoot_ops.model.stack import Stack

# Only the journal knows whose the volumes are until .env does, or which cluster served before; the other operations
# can simply be run again.
KEPT = frozenset(
    {
        "adopt",
        "undo-adopt",
        "setup",
        "undo-setup",
        "undo-restore",
        "upgrade",
        "undo-upgrade",
        "rollback",
        "schedule",
        "undo-schedule",
    }
)
# What these left half done, only the engine can put right: where it is gone, their journal waits for it.
NEED_ENGINE = frozenset(
    {
        "adopt",
        "leave",
        "setup",
        "restore",
        "upgrade",
        "rollback",
        "undo-adopt",
        "undo-setup",
        "undo-restore",
        "undo-upgrade",
    }
)
ENGINE_GONE = "The Docker Engine does not answer, so nothing could be cleaned up or put back"
RECOVER = "Start it again, type 'invoke recover --undo' or 'invoke recover --finish', and then 'invoke up'."


@dataclass(frozen=True, slots=True)
class Change:
    """A changing operation in progress: announces its steps to the journal first, then to the operator."""

    opening: Opening
    store: JournalStore
    host: Host
    resumed: Journal | None
    changed: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)

    def step(self, name: str, text: str, /, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
        """Announces a step; its journal line is on disk when this returns."""
        self.store.step(name, facts)
        self.host.reporter.step(text)

    def made(self, text: str) -> None:
        """Notes what is different now, for the operation's result."""
        self.changed.append(text)

    def owes(self, remedy: str) -> None:
        """From here on the journal stays after any end but a good one: only it knows what is still to be made."""
        self.owed.append(remedy)

    def cluster_name(self) -> str:
        """The name of a cluster that this operation builds: when, and by which operation."""
        return f"{self.host.clock.compact_stamp()}-{self.opening.id}"

    def resumed_facts(self, step: str) -> Mapping[str, Any]:
        """What the operation that this one finishes had noted with a step."""
        return self.resumed.facts(step) if self.resumed else {}


def store_of(stack: Stack, host: Host) -> JournalStore:
    """The stack's journal and ledger."""
    return JournalStore(stack.state_folder, host.clock)


@contextmanager
def changing(
    stack: Stack,
    host: Host,
    operation: str,
    options: Mapping[str, Any] | None = None,
    *,
    resume: Journal | None = None,
) -> Iterator[Change]:
    """Holds the lock and keeps a journal while an operation changes the stack.

    Raises StackLockedError while another operation runs, or one that was cut off has not been ended with recover.
    An error or Ctrl-C ends one-off containers, is written to the ledger, and goes on its way. Where it ends the
    recovery of an operation whose journal alone knows the way back, the journal stays and recovery can be tried again.
    """
    store = store_of(stack, host)
    started, user = host.clock.stamp(), host.machine.user()
    with hold_lock(stack.project, operation=operation, user=user, since=started), terminable():
        _refuse_when_cut_off(store, resume)
        opening = Opening(operation, uuid4().hex[:12], user, os.getpid(), started, dict(options or {}))
        store.open(opening, resume.steps if resume else ())
        change = Change(opening, store, host, resume)
        with _written_down(stack, change):
            yield change


@contextmanager
def _written_down(stack: Stack, change: Change) -> Iterator[None]:
    operation = change.opening.operation
    try:
        yield
    except KeyboardInterrupt as error:
        end_one_offs(stack, change.host)
        if _close("interrupted", change):
            gone = InterruptedByOperatorError(f"Interrupted during {operation}", details=(ENGINE_GONE,), remedy=RECOVER)
            raise gone from error
        again = f"The stack can be used as it is; 'invoke {operation}' can be run again."
        remedy = change.owed[-1] if change.owed else again
        raise InterruptedByOperatorError(f"Interrupted during {operation}; cleaned up", remedy=remedy) from error
    except OpsError as error:
        end_one_offs(stack, change.host)
        if _close(f"failed with {error.code}", change):
            error.details = (*error.details, ENGINE_GONE)
            error.remedy = RECOVER
        raise
    change.store.close(change.opening, "done")


def _close(outcome: str, change: Change) -> bool:
    """Ends the journal of what failed, unless it is needed yet; whether that is because no engine answers."""
    operation = change.opening.operation
    journal = change.store.read()
    gone = operation in NEED_ENGINE and bool(journal and journal.steps) and not _engine_answers(change.host)
    needed = change.owed or (change.resumed is not None and operation in KEPT)
    change.store.close(change.opening, outcome, keep=gone or bool(needed))
    return gone


def _engine_answers(host: Host) -> bool:
    return host.processes.find("docker") and host.processes.try_run(docker.version()).code == 0


def require_quiet(stack: Stack, host: Host, operation: str) -> None:
    """Refuses at once where another operation runs or was cut off: what it left half done would be misread as a fault.

    Raises StackLockedError.
    """
    with hold_lock(stack.project, operation=operation, user=host.machine.user(), since=host.clock.stamp()):
        _refuse_when_cut_off(store_of(stack, host), None)


def _refuse_when_cut_off(store: JournalStore, resume: Journal | None) -> None:
    journal = store.read()
    if journal is None or resume is not None:
        return
    text = f"'{journal.opening.operation}' of {journal.opening.started} was cut off at step '{journal.last_step}'"
    remedy = "Type 'invoke recover' to see what that means, then 'invoke recover --finish' or '--undo'."
    raise StackLockedError(text, remedy=remedy)


def end_one_offs(stack: Stack, host: Host) -> None:
    """Ends one-off containers that outlived the process which started them; a machine without Docker has none."""
    if not host.processes.find("docker"):
        return
    ids = host.processes.try_run(docker.one_off_containers(stack.project)).stdout.split()
    if ids:
        host.processes.try_run(docker.remove_containers(*ids))


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM means the same as Ctrl-C: clean up, then leave."""

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
