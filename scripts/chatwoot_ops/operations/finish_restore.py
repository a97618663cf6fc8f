"""Finishes a restore that was cut off; the private key of an encrypted set is asked for again: no journal has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.encryption import PROMPT
from chatwoot_ops.operations.restore import RestoreOptions, opener, restore
from chatwoot_ops.operations.source import source_again
from chatwoot_ops.operations.swapping import finish_swapped, undo_restore


def with_identity(journal: Journal, identity: str) -> Journal:
    """The journal with this file as the place of the private key; a noted one that is gone becomes a question."""
    noted = str(journal.opening.options.get("identity", ""))
    if not identity and noted and not Path(noted).exists():
        identity = PROMPT
    if not identity:
        return journal
    options = {**journal.opening.options, "identity": identity}
    return replace(journal, opening=replace(journal.opening, options=options))


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
