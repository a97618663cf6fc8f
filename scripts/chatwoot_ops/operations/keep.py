"""Marks a backup set so that no prune removes it, or takes the mark away."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_notes import mark_kept, unmark_kept
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import Backups, list_sets, store_of
from chatwoot_ops.operations.changing import changing


def keep(stack: Stack, host: Host, name: str, *, off: bool = False, resume: Journal | None = None) -> Backups:
    """The sets after one of them was marked, or its mark taken away; `latest` is the newest one.

    Raises BackupSetInvalidError where there is no such set.
    """
    backup_set = store_of(stack).find(name)
    with changing(stack, host, "keep", {"name": backup_set.path, "off": off}, resume=resume) as change:
        change.step("mark", f"{'Unmarking' if off else 'Marking'} {backup_set.manifest.name}")
        _mark(backup_set, change.host, off=off)
    return list_sets(stack, host)


def _mark(backup_set: BackupSet, host: Host, *, off: bool) -> None:
    if off:
        unmark_kept(backup_set)
    else:
        mark_kept(backup_set, at=host.clock.stamp(), by=host.machine.user())
