"""The stored files against their rows by key and size; their content is read by every backup."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import backup, stored_files
from chatwoot_ops.model.backup_set import StorageProof
from chatwoot_ops.model.check import Check, passed, warned
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.storage import BLOBS, read_blobs
from chatwoot_ops.operations.troubled_files import ask_rows, told, troubled, with_rows

CHECK = "stored files"
_REMEDY = "Ask for them again, or take them from a set: docs/how-to/restore.md, section Stored files alone"


def stored(stack: Stack, host: Host) -> Check:
    """Whether each row has its file and each file its row; whose they are where not, by conversation.

    Rows of the last hour may wait for their upload. Raises CommandFailedError where either cannot be read.
    """
    with host.processes.session(backup.snapshot_session(stack, host.compose)) as session:
        session.send(BLOBS + "SELECT json_build_array();\n")
        session.close()
        rows = {key: size for key, (size, _) in read_blobs(session.read_line).items()}
    listed = (line.split() for line in host.processes.run(stored_files.list_sizes(stack)).stdout.splitlines())
    sizes = {key: int(size) for key, size in listed}
    missing, orphaned = sorted(rows.keys() - sizes.keys()), sorted(sizes.keys() - rows.keys())
    wrong = sorted(key for key in rows.keys() & sizes.keys() if rows[key] != sizes[key])
    return _verdict(stack, host, StorageProof(len(sizes), 0, 0, tuple(missing), tuple(wrong), tuple(orphaned)), sizes)


def _verdict(stack: Stack, host: Host, seen: StorageProof, sizes: dict[str, int]) -> Check:
    # Asked again, for a file may have come or gone while both were read.
    now = ask_rows(stack, host, (*with_rows(seen), *seen.orphaned))
    old = {key for key, row in now.items() if not row["young"]}
    proof = StorageProof(
        seen.files,
        seen.bytes,
        seen.proved,
        missing=tuple(key for key in seen.missing if key in old),
        wrong=tuple(key for key in seen.wrong if key in old),
        orphaned=tuple(key for key in seen.orphaned if key not in now),
    )
    lines = told(stack, "doctor", troubled(proof, sizes, now))
    ownerless = f"{len(proof.orphaned)} without a row ({show_size(sum(sizes[key] for key in proof.orphaned))})"
    text = f"{proof.files} there, {len(proof.missing)} missing, {len(proof.wrong)} of another size, {ownerless}"
    if proof.whole:
        return passed(CHECK, "; ".join((text, *lines)))
    return warned(CHECK, "; ".join((text, *lines)), _REMEDY)
