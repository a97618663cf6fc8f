"""The last backup set of a stack that is about to move: nothing is written any more when it is taken."""

from __future__ import annotations

from dataclasses import dataclass, replace

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose
from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import RAILS, SIDEKIQ, Stack
from chatwoot_ops.operations.backup import BackedUp, make_set
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import changing
from chatwoot_ops.operations.pushing import push


@dataclass(frozen=True, slots=True)
class Left:
    """A stack that is down, and the set that holds all that was ever written to it; `sent` says that it is off-site."""

    last: BackedUp
    sent: bool


def leave(
    stack: Stack, host: Host, *, volumes: bool = False, dry_run: bool = False, resume: Journal | None = None
) -> Left:
    """Stops web and worker, takes a logical set, which goes anywhere, takes the stack down, and sends the set off-site.

    Raises BackupFailedError when no set was made: the stack serves again then; or when it could not be sent: the set
    is here and the stack is down. Raises SettingsInvalidError where the data is to be removed too, or nothing done.
    """
    if volumes or dry_run:
        text = "--backup goes with neither --volumes nor --dry-run"
        raise SettingsInvalidError(text, remedy="Take the stack down first; remove its data once the new host serves.")
    with changing(stack, host, "leave", resume=resume) as change:
        change.step("stop-writers", "Stopping web and worker")
        host.processes.run(compose.stop(stack, host.compose, RAILS, SIDEKIQ))
        try:
            made = make_set(stack, host, change, note="the last one before a move")
        except BaseException:
            host.processes.run(compose.up(stack, host.compose))
            raise
        change.step("down", "Taking the stack down")
        host.processes.run(compose.down(stack, host.compose))
    if not stack.settings["BACKUP_REMOTE"]:
        return Left(made, sent=False)
    pushed = push(stack, host, made.set.path)
    whole = replace(made, set=store_of(stack).find(made.set.path), warnings=(*made.warnings, *pushed.warnings))
    return Left(whole, sent=True)


def finish_leaving(stack: Stack, host: Host, journal: Journal) -> None:
    """Takes the stack down whose last set was sealed already; else begins again."""
    if not journal.reached("down"):
        leave(stack, host, resume=journal)
        return
    with changing(stack, host, "leave", resume=journal) as change:
        change.step("down", "Taking the stack down")
        host.processes.run(compose.down(stack, host.compose))
