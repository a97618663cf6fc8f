"""Finishes a restore that was cut off; the private key of an encrypted set is asked for again: no journal has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import staging
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import changing
from chatwoot_ops.operations.encryption import PROMPT
from chatwoot_ops.operations.indexes import BUILD, REMEDY, wanted_of
from chatwoot_ops.operations.restore import opener, restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_again
from chatwoot_ops.operations.swapping import (
    end_built,
    end_swapped,
    or_put_back,
    start_and_prove,
    start_data,
    start_rest,
)
from chatwoot_ops.operations.undo_restore import undo_restore


def with_identity(journal: Journal, identity: str) -> Journal:
    """The journal with this file as the place of the private key; a noted one that is gone becomes a question."""
    noted = str(journal.opening.options.get("identity", ""))
    if not identity and noted and not Path(noted).exists():
        identity = PROMPT
    if not identity:
        return journal
    options = {**journal.opening.options, "identity": identity}
    return replace(journal, opening=replace(journal.opening, options=options))


def finish_swapped(stack: Stack, host: Host, journal: Journal) -> bool:
    """Starts and proves what a restore or takeover that was cut off had swapped in; False where it had not come so far.

    Beginning again would give up what customers have written to it since. Raises RestoreFailedError like the restore.
    """
    swapped, options = journal.facts("swap"), journal.opening.options
    if not swapped or journal.reached("put-back"):
        return False
    target, previous = str(swapped["target"]), str(swapped["previous"])
    if host.processes.run(staging.current_cluster(stack)).stdout.strip() != target:
        return False
    indexes = wanted_of(journal)
    with changing(stack, host, journal.opening.operation, options, resume=journal) as change:
        change.step("start", "Starting database and worker")
        if indexes and journal.reached("clean"):
            # Proved it was before; customers have written to it since, so nothing is put back whatever fails.
            change.owes(REMEDY)
            start_data(stack, host)
            start_rest(stack, host)
        else:
            with or_put_back(stack, host, change, previous):
                start_data(stack, host)
                start_and_prove(stack, host, change, migrate=bool(options.get("migrate")))
        if journal.reached(BUILD):
            end_built(stack, host, change, indexes, host.clock.stamp())
        else:
            end_swapped(stack, host, change, target, previous, indexes)
    return True


def finish_restore(stack: Stack, host: Host, journal: Journal) -> None:
    """Begins again where the old cluster still serves; otherwise what was swapped in is proved.

    Raises BackupSetInvalidError while nothing is undone yet where the private key is missing or the wrong one.
    """
    if finish_swapped(stack, host, journal):
        return
    options = dict(journal.opening.options)
    source = source_again(stack, options.pop("source"))
    asked = RestoreOptions(**{**options, "yes": True})
    if asked.export_newer and Path(asked.export_newer).exists():
        # What the attempt before had saved is kept; customers may have written since.
        asked = replace(asked, export_newer=f"{asked.export_newer}.again")
    identity = opener(host, source, asked)
    undo_restore(stack, host, journal)
    restore(stack, host, source, asked, identity=identity)
