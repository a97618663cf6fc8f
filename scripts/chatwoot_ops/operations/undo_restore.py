"""Undoes a restore that was cut off, unless that would lose what customers wrote to the restored data."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import staging
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

    Raises StackLockedError where customers wrote to restored data that served already.
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
    """Raises StackLockedError where an undo would lose what customers wrote to restored data that served already.

    That is so from the step `start` on, for the web stays up. Before `clean` the new cluster was not proved: one that
    does not answer is put back all the same, and it is said that nobody could count.
    """
    high = journal.facts("storage").get("high")
    if not high or not journal.reached("start") or journal.reached("put-back") or not _in_place(stack, host, journal):
        return
    try:
        gained = written_since(dict(high), ask_database(stack, host, HIGH))
    except OpsError as error:
        if not journal.reached("clean"):
            host.reporter.note("What customers wrote to the restored data could not be counted: it does not answer")
            return
        text, remedy = "The database cannot be asked what customers wrote to the restored data", "Start it"
        raise StackLockedError(text, details=error.details, remedy=f"{remedy}: 'invoke recover --finish'.") from error
    if gained:
        ready = "only indexes are missing" if wanted_of(journal) else "it serves already, and the rest is made"
        remedy = f"Type 'invoke recover --finish': {ready}. Nothing was changed."
        raise loss_of_undo("restore", "the restored data", told(gained), remedy)


def _in_place(stack: Stack, host: Host, journal: Journal) -> bool:
    target = str(journal.facts("swap").get("target", ""))
    return host.processes.run(staging.current_cluster(stack)).stdout.strip() == target
