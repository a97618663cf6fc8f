"""Lines for people: backup sets here, what each costs, and what keeps it."""

from __future__ import annotations

from chatwoot_ops.model.backup_set import STORAGE_ARTIFACT, BackupSet, Manifest
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stored_files import Packing
from chatwoot_ops.operations.backup import BackedUp
from chatwoot_ops.operations.backup_sets import Backups
from chatwoot_ops.operations.prune import Pruned, PrunedSet


def set_line(each: BackupSet) -> str:
    """One set in one line."""
    manifest = each.manifest
    newest = manifest.data.newest_message or "no message"
    verified = f"{each.verified} ({each.how})" if each.verified else "never"
    off_site = f"off-site {each.off_site}" if each.off_site else "not off-site"
    shared = f", {show_size(each.shared)} shared, {show_size(each.own)} of its own" if each.shared else ""
    marks = (", encrypted" if manifest.encryption.whole else "") + (", kept" if each.kept else "") + shared
    return (
        f"{manifest.name:<28} {manifest.kind:<9} {show_size(each.size):>10}  {manifest.release:<12} "
        f"newest message {newest:<28} verified {verified}, {off_site}{marks}"
    )


def verified(result: BackupSet) -> list[str]:
    """A set that was read back now."""
    if result.checksums_only and result.manifest.encryption.whole:
        said = (
            "Every checksum was read back. The set is encrypted: its contents, the dump's table of contents among them,"
        )
        return [set_line(result), f"{said} were NOT read. Give --identity FILE for that."]
    if result.checksums_only:
        return [set_line(result), "Read back: every checksum."]
    if result.manifest.physical:
        said = "Read back: every checksum and the storage archive to its end"
        return [set_line(result), f"{said}; a restore verifies each file of the cluster."]
    said = "Read back: every checksum, the dump's table of contents and the storage archive to its end."
    return [set_line(result), said]


def backups(result: Backups) -> list[str]:
    """The sets of a folder."""
    damaged = [f"{name}: cannot be read as a backup set" for name in result.damaged]
    lines = [f"{set_line(each)}  {age} hours old" for each, age in zip(result.sets, result.ages, strict=True)]
    return [*lines, *damaged, f"{len(result.sets)} sets in {result.folder}, {show_size(result.on_disk)} on the disk"]


def pruned(result: Pruned) -> list[str]:
    """What keeps each set of a folder, and what was removed."""
    gone = f"{len(result.removed)} sets removed, {len(result.sets) - len(result.removed)} kept in {result.folder}"
    damaged = [f"{name}: no whole set; never removed and never counted as one" for name in result.damaged]
    return [*(_pruned_line(each, result) for each in result.sets), *damaged, gone]


def _pruned_line(each: PrunedSet, result: Pruned) -> str:
    going = "removed" if each.name in result.removed else "no rule keeps it"
    return f"{each.name:<28} {show_size(each.size):>10}  {', '.join(each.kept_by) or going}"


def backed_up(result: BackedUp) -> list[str]:
    """A set that was sealed now."""
    storage = result.set.manifest.storage
    return [
        set_line(result.set),
        f"{_held(result.set.manifest)}, {storage.proved} of {storage.files} stored files proved",
        _packed(result.set.manifest.packing),
        *(f"warning: {line}" for line in result.warnings),
        f"Sealed in {result.seconds} s: {result.set.path}",
    ]


def _packed(packing: Packing) -> str:
    if packing.whole_because:
        return f"The stored files were copied whole: {packing.whole_because}"
    new = [each for each in packing.packs if each.name == STORAGE_ARTIFACT]
    copied = f"{sum(each.files for each in new)} stored files ({show_size(sum(each.bytes for each in new))}) were new"
    return f"{copied}, the others are shared with the sets before, in {len(packing.packs) - len(new)} packs"


def _held(manifest: Manifest) -> str:
    if manifest.cluster is not None:
        return f"the whole cluster, from {manifest.cluster.start_lsn} to {manifest.cluster.stop_lsn} in its WAL"
    rows = sum(table.rows for table in manifest.data.tables.values())
    return f"{rows} rows in {len(manifest.data.tables)} tables"
