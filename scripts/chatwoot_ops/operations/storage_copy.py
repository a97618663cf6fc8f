"""The stored files of a set: links to what an earlier set holds already, and a pack of what is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from chatwoot_ops.adapters.bridge import Bridge
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.commands import backup as commands
from chatwoot_ops.model.backup_set import KNOWN_ARTIFACT, LIST_ARTIFACT, STORAGE_ARTIFACT, StorageProof
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.stored_files import Pack, Packing, StoredFile, list_lines, place_of, token
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.held_files import Earlier, link_packs
from chatwoot_ops.operations.storage import prove_files, read_archive, read_listing

Blobs = Mapping[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class CopiedFiles:
    """The proof of a set's stored files, the packs that hold them, and what an operator must know of them.

    `sizes` are the bytes of those that have no row.
    """

    proof: StorageProof
    packing: Packing
    warnings: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Copying:
    """A copy in progress."""

    stack: Stack
    host: Host
    change: Change
    partial: PartialSet


def copy_storage(  # noqa: PLR0917 - what it is made of
    stack: Stack, host: Host, change: Change, partial: PartialSet, earlier: Earlier, blobs: Blobs
) -> CopiedFiles:
    """Writes the stored files into a set; what the earlier one holds byte for byte is linked and not copied.

    Raises OSError or CommandFailedError where they cannot be read or written.
    """
    this = _Copying(stack, host, change, partial)
    copied = _copy(this, earlier, blobs)
    if earlier.alarming:
        copied = replace(copied, warnings=(f"The stored files were copied whole: {earlier.refusal}",))
    return copied


def _copy(this: _Copying, earlier: Earlier, blobs: Blobs) -> CopiedFiles:
    if earlier.set is None:
        return _whole(this, blobs, earlier.refusal)
    this.host.reporter.step("Comparing the stored files with the set before")
    # Read to the last byte: a time stamp would not tell of a file that was damaged on its disk.
    listed = read_listing(this.host, commands.stored_files(this.stack, operation=this.change.opening.id))
    held = {key: file for key, file in listed.items() if earlier.holds(key, file)}
    kept = _kept_for_their_rows(listed, earlier, blobs)
    live = sum(each.size for each in (held | kept).values())
    # A whole copy of the volume would lose what only the earlier packs still have.
    if (reason := earlier.set.manifest.packing.worn_out(live)) and not kept:
        return _whole(this, blobs, reason)
    try:
        packs = link_packs(this.partial, earlier.set)
    except OSError as error:
        reason = f"files cannot be linked in the folder of the sets ({error.strerror})"
        return replace(_whole(this, blobs, reason), warnings=(f"The stored files were copied whole: {reason}",))
    return _with_new(this, packs, held, kept, blobs)


def _kept_for_their_rows(listed: Mapping[str, StoredFile], earlier: Earlier, blobs: Blobs) -> dict[str, StoredFile]:
    """Files that the volume lost or damaged, and that an earlier pack has just as their rows say."""
    rows = ((key, StoredFile(size, md5)) for key, (size, md5) in blobs.items())
    return {key: row for key, row in rows if listed.get(key) != row and earlier.holds(key, row)}


def _whole(this: _Copying, blobs: Blobs, because: str) -> CopiedFiles:
    found, pack = _pack(this, {})
    _write_lists(this, found)
    return _proved(found, blobs, Packing((pack,), because))


def _proved(found: Mapping[str, StoredFile], blobs: Blobs, packing: Packing) -> CopiedFiles:
    proof = prove_files(found, blobs)
    return CopiedFiles(proof, packing, sizes={key: found[key].size for key in proof.orphaned})


def _with_new(
    this: _Copying,
    packs: tuple[Pack, ...],
    held: Mapping[str, StoredFile],
    kept: Mapping[str, StoredFile],
    blobs: Blobs,
) -> CopiedFiles:
    there = {**held, **kept}
    new, pack = _pack(this, there)
    if not new:
        this.partial.drop(STORAGE_ARTIFACT)
    found = {**there, **new}
    _write_lists(this, found)
    copied = _proved(found, blobs, Packing((*packs, pack) if new else packs))
    return replace(copied, proof=replace(copied.proof, kept=tuple(sorted(kept))))


def _pack(this: _Copying, without: Mapping[str, StoredFile]) -> tuple[dict[str, StoredFile], Pack]:
    """The proof is made of what passes by: an encrypted archive cannot be read back here."""
    places = tuple(place_of(key) for key in without)
    command = commands.storage(this.stack, operation=this.change.opening.id, without=places)
    with this.partial.artifact(STORAGE_ARTIFACT) as file, Bridge(read_archive) as reading:

        def take(chunk: bytes) -> None:
            file.write(chunk)
            reading.write(chunk)

        this.host.processes.save_output(command, take)
        found = reading.result()
    return found, Pack(STORAGE_ARTIFACT, len(found), sum(each.size for each in found.values()))


def _write_lists(this: _Copying, found: Mapping[str, StoredFile]) -> None:
    with this.partial.artifact(LIST_ARTIFACT) as file:
        for line in list_lines(found):
            file.write(line.encode())
    secret = this.stack.settings["SECRET_KEY_BASE"]
    with this.partial.artifact(KNOWN_ARTIFACT, clear=True) as file:
        # Sorted, so that the order tells nothing either.
        for each in sorted(token(secret, key, file_) for key, file_ in found.items()):
            file.write(f"{each}\n".encode())
