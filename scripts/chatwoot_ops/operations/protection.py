"""Which backup sets no rule may remove, and why: read now, only here, needed for a way back, or not ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chatwoot_ops.adapters.set_lock import nobody_reading
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.remote import remote_of
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.upgrade import WAY_BACK, note_before, parse_way_back

BASE = "where the WAL archive goes on from"
FOREIGN, LINKED, BEFORE_UPGRADE = "of another installation", "a link to elsewhere", "way back of the upgrade"
NOT_OFF_SITE = "not off-site yet"


def protected(stack: Stack, sets: Mapping[str, BackupSet]) -> dict[str, str]:
    """The sets that stay whatever the rules say, by name, each with the reason."""
    own = stack.settings["CHATWOOT_INSTANCE_ID"]
    foreign = {name: FOREIGN for name, each in sets.items() if each.manifest.instance != own}
    linked = {name: LINKED for name, each in sets.items() if Path(each.path).is_symlink()}
    note = note_of_the_way_back(stack)
    noted = {name: BEFORE_UPGRADE for name, each in sets.items() if note and each.manifest.note.startswith(note)}
    return {**_only_here(stack, sets), **_base_of_the_archive(stack, sets), **noted, **linked, **foreign, **_read(sets)}


def _only_here(stack: Stack, sets: Mapping[str, BackupSet]) -> dict[str, str]:
    """Where copies are to be off-site: the sets that have none there yet. A copy that retention removed was there."""
    remote = remote_of(stack.settings.values)
    if remote is None:
        return {}
    there = (name for name, each in sets.items() if not (each.lies_at(remote.url) or each.off_site_ended))
    return dict.fromkeys(there, NOT_OFF_SITE)


def _read(sets: Mapping[str, BackupSet]) -> dict[str, str]:
    found = {}
    for name, each in sets.items():
        with nobody_reading(Path(each.path)) as why:
            found[name] = why
    return {name: why for name, why in found.items() if why}


def _base_of_the_archive(stack: Stack, sets: Mapping[str, BackupSet]) -> dict[str, str]:
    physical = [(each.manifest.sequence, name) for name, each in sets.items() if each.manifest.physical]
    return {max(physical)[1]: BASE} if physical and stack.archives else {}


def note_of_the_way_back(stack: Stack) -> str:
    """How the note of the set begins that the last upgrade made first, "" where there was none.

    A way back that cannot be read may be of any upgrade: then the sets of all of them stay.
    """
    try:
        return note_before(parse_way_back((stack.state_folder / WAY_BACK).read_text(encoding="utf-8")).target)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, TypeError):
        return note_before("")
