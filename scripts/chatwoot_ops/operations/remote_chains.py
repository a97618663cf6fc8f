"""The chains of WAL at the remote: their lists read, written and read back, and what no kept set needs removed."""

from __future__ import annotations

from collections.abc import Iterable

from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError
from chatwoot_ops.model.backup_set import Manifest
from chatwoot_ops.model.remote_wal import INDEX, RemoteChain, chain_folder, facts_of, parse_list, to_json
from chatwoot_ops.model.wal import Chain, not_needed
from chatwoot_ops.operations.remote import Bucket


def folder_of(bucket: Bucket, instance: str, chain: str) -> str:
    """Where a chain's objects are, without the last slash."""
    return bucket.remote.folder(*chain_folder(instance, chain))


def chains_there(bucket: Bucket, instance: str) -> tuple[RemoteChain, ...]:
    """Every chain of an installation that is at the remote, oldest first.

    Raises BackupSetInvalidError for a list that is damaged.
    """
    top = bucket.remote.folder(*chain_folder(instance))
    names = (key.removeprefix(f"{top}/").split("/") for key in bucket.store.sizes(top))
    found = sorted({parts[0] for parts in names if parts[1:] == [INDEX]})
    return tuple(parse_list(bucket.store.text(f"{top}/{name}/{INDEX}") or "", name) for name in found)


def chain_there(bucket: Bucket, instance: str, chain: Chain) -> RemoteChain:
    """What of this chain is at the remote.

    Raises BackupSetInvalidError where another chain of its name is there: nothing of it is touched.
    """
    text = bucket.store.text(f"{folder_of(bucket, instance, chain.name)}/{INDEX}")
    if text is None:
        return RemoteChain(chain).with_segments(())
    found = parse_list(text, chain.name)
    if facts_of(found.chain) != facts_of(chain):
        text = f"Another chain of the name {chain.name} is at {bucket.remote.url} already"
        remedy = "Two hosts have the same CHATWOOT_INSTANCE_ID: give each its own prefix in BACKUP_REMOTE."
        raise BackupSetInvalidError(text, remedy=remedy)
    return found


def write_list(bucket: Bucket, instance: str, found: RemoteChain) -> None:
    """Writes a chain's list and reads it back: from here on its segments count.

    Raises CommandFailedError where it is not what was sent.
    """
    name, text = f"{folder_of(bucket, instance, found.chain.name)}/{INDEX}", to_json(found)
    bucket.store.put(name, text)
    if bucket.store.text(name) != text:
        raise CommandFailedError(f"the list of the WAL of {found.chain.name} at the remote is not what was sent")


def belongs(manifest: Manifest, chain: Chain) -> bool:
    """Whether a set is of the cluster whose WAL this is."""
    cluster = manifest.cluster
    return cluster is not None and (cluster.system_identifier, cluster.folder) == (chain.system, chain.cluster)


def prune_chains(bucket: Bucket, instance: str, kept: Iterable[Manifest]) -> int:
    """Removes the segments that none of these sets needs, and chains that none goes on with; returns how many went.

    The list is written first, so that what it names is always there.
    """
    sets, gone = tuple(kept), 0
    for each in chains_there(bucket, instance):
        folder = folder_of(bucket, instance, each.chain.name)
        starts = [found.cluster.start_lsn for found in sets if found.cluster and belongs(found, each.chain)]
        going = set(not_needed(each.chain, starts)) if starts else set(each.chain.segments)
        if not starts:
            bucket.store.remove((f"{folder}/{INDEX}",))
        elif going:
            write_list(bucket, instance, each.with_segments(one for one in each.there if one.name not in going))
        bucket.store.remove(f"{folder}/{one.object}" for one in each.there if one.name in going)
        gone += len(going)
    return gone
