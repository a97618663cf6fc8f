"""What is done to a sealed set without touching what was sealed: notes that lie beside it, and its removal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from chatwoot_ops.adapters.files import remove_file, remove_folder, write_atomically
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.remote import OFF_SITE
from chatwoot_ops.model.verification import Level

REMOVING = ".removing"
_KEPT, _VERIFIED, _PROVED = "kept.json", "verified.json", "proved.json"


def notes_of(folder: Path) -> dict[str, Any]:
    """What was noted beside the set in this folder, by the names that a BackupSet has for it.

    A mark that keeps the set is one also where it is damaged; of the others what cannot be read was not noted.
    """
    verified, proved, off_site = (_note(folder / name) for name in (_VERIFIED, _PROVED, OFF_SITE))
    return {
        "kept": (folder / _KEPT).exists(),
        "verified": str(verified.get("at", "")),
        "level": str(verified.get("level", "")),
        "proved": str(proved.get("at", "")),
        "proved_key": str(proved.get("key", "")),
        "off_site": str(off_site.get("at", "")),
        "remote": str(off_site.get("remote", "")),
        "off_site_ended": str(off_site.get("ended", "")),
    }


def _note(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def mark_verified(backup_set: BackupSet, at: str, level: Level) -> None:
    """Notes when a set was last found whole, and how thoroughly that was looked at."""
    write_atomically(Path(backup_set.path) / _VERIFIED, json.dumps({"at": at, "level": level}) + "\n")


def mark_proved(backup_set: BackupSet, at: str, key: str) -> None:
    """Notes when a private key last opened all of a set; `key` is its public half."""
    write_atomically(Path(backup_set.path) / _PROVED, json.dumps({"at": at, "key": key}) + "\n")


def off_site_note(at: str, remote: str) -> str:
    """The note of a copy that was read back then and lies there; it lies beside the copy too."""
    return json.dumps({"at": at, "remote": remote}) + "\n"


def mark_off_site(backup_set: BackupSet, note: str) -> None:
    """Notes when and where a set was read back off-site; an empty note takes that back."""
    path = Path(backup_set.path) / OFF_SITE
    if note:
        write_atomically(path, note)
    else:
        remove_file(path)


def mark_off_site_ended(backup_set: BackupSet, at: str) -> None:
    """Notes that the copy was there and that retention removed it then: it is not to be brought there again."""
    write_atomically(Path(backup_set.path) / OFF_SITE, json.dumps({"ended": at}) + "\n")


def mark_kept(backup_set: BackupSet, *, at: str, by: str) -> None:
    """Marks a set: no prune removes it."""
    write_atomically(Path(backup_set.path) / _KEPT, json.dumps({"at": at, "by": by}) + "\n")


def unmark_kept(backup_set: BackupSet) -> None:
    """Takes the mark away.

    Raises CommandFailedError where the folder cannot be written.
    """
    remove_file(Path(backup_set.path) / _KEPT)


def lacking(backup_set: BackupSet) -> tuple[str, ...]:
    """Artifacts that are not there or not of their size: what can be seen of a damage without reading the set."""
    artifacts = backup_set.manifest.artifacts
    return tuple(each.name for each in artifacts if _size(Path(backup_set.path) / each.name) != each.size)


def is_shared(path: Path) -> bool:
    """Whether another set holds the very same file."""
    try:
        return path.stat().st_nlink > 1
    except OSError:
        return False


def bytes_on_disk(sets: Iterable[BackupSet]) -> int:
    """What the artifacts of these sets take together, a file that several of them share counted once."""
    found = {}
    for path in (Path(each.path) / artifact.name for each in sets for artifact in each.manifest.artifacts):
        with suppress(OSError):
            seen = path.stat()
            found[seen.st_dev, seen.st_ino] = seen.st_size
    return sum(found.values())


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def remove_set(folder: Path) -> None:
    """Takes a set's name away in one step, then its files: a kill leaves a whole set or none.

    Raises CommandFailedError where that cannot be done; what is left is no set; the next backup or prune removes it.
    """
    remove_folder(folder, folder.with_name(f"{folder.name}{REMOVING}"))


def finish_removals(folder: Path) -> tuple[str, ...]:
    """Ends the removals that were cut off below a folder of sets; returns what could not be removed, by set."""
    left = list(folder.glob(f"*{REMOVING}")) if folder.is_dir() else []
    for each in left:
        shutil.rmtree(each, ignore_errors=True)
    return tuple(sorted(each.name.removesuffix(REMOVING) for each in left if each.exists()))
