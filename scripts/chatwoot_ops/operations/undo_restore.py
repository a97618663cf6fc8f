"""Undoes a restore that was cut off, unless that would lose what customers wrote to the restored data."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError, StackLockedError
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.upgrade import told, written_since
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import changing
from chatwoot_ops.operations.database import HIGH, ask_database
from chatwoot_ops.operations.indexes import wanted_of
from chatwoot_ops.operations.loss import loss_of_undo
from chatwoot_ops.operations.restore_settings import BEFORE_RESTORE, drop_saved, put_settings_back
from chatwoot_ops.operations.swapping import drop_staged, put_back


def undo_restore(stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --undo` does: the old cluster serves, and what was built beside it is gone.

    Raises StackLockedError where customers wrote to restored data that served already, with indexes still to come.
    """
    refuse_loss(stack, host, journal)
    with changing(stack, host, "undo-restore", resume=journal) as change:
        facts, stopped = journal.facts("stage"), journal.facts("stop")
        if journal.reached("keys"):
            put_settings_back(stack, BEFORE_RESTORE)
        if stopped:
            change.step("put-back", "Putting the old cluster back", previous=stopped["previous"])
            put_back(stack, host, str(stopped["previous"]), BEFORE_RESTORE)
        if facts:
            change.step("drop-staged", "Removing what was built beside it", cluster=facts["cluster"])
            drop_staged(stack, host, str(facts["operation"]), str(facts["cluster"]))
        store_of(stack).drop_partials()  # of the base backup that a new WAL chain begins with
        drop_saved(stack, BEFORE_RESTORE)


def refuse_loss(stack: Stack, host: Host, journal: Journal) -> None:
    """Raises StackLockedError where an undo would lose what customers wrote to restored data that served already."""
    if not wanted_of(journal) or not journal.reached("clean") or journal.reached("put-back"):
        return
    try:
        gained = written_since(dict(journal.facts("storage")["high"]), ask_database(stack, host, HIGH))
    except OpsError as error:
        text, remedy = "The database cannot be asked what customers wrote to the restored data", "Start it"
        raise StackLockedError(text, details=error.details, remedy=f"{remedy}: 'invoke recover --finish'.") from error
    if gained:
        remedy = "Type 'invoke recover --finish': only indexes are missing."
        raise loss_of_undo("restore", "the restored data", told(gained), remedy)
