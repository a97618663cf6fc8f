"""Fetches the WAL that a set goes on with from off-site into the archive here, each segment compared first."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from chatwoot_ops.adapters.age import Identity, opened
from chatwoot_ops.adapters.files import read_chunks
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.pulled_set import PulledSet
from chatwoot_ops.commands import docker
from chatwoot_ops.commands import wal as commands
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.reach import Span, spans
from chatwoot_ops.model.remote_wal import RemoteChain, Segment, description_of
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.encryption import PROMPT, identity_of
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.remote import Bucket
from chatwoot_ops.operations.remote_chains import belongs, chains_there, folder_of
from chatwoot_ops.operations.wal import read_chains

WORK = "wal-coming-"


def reachable_there(bucket: Bucket, instance: str) -> tuple[Span, ...]:
    """Every span that the sets and the WAL at the remote can reach, oldest set first.

    Raises BackupSetInvalidError for a manifest or a list that is damaged.
    """
    names = sorted(each.name for each in bucket.groups_of(instance) if each.whole)
    sets = (BackupSet(name, bucket.manifest(instance, name)) for name in names)
    return spans((each.chain for each in chains_there(bucket, instance)), sets)


def bring_wal(  # noqa: PLR0917 - from where to where, what, and who opens it
    stack: Stack, host: Host, bucket: Bucket, backup_set: BackupSet, identity: Identity | None, given: str
) -> None:
    """Puts the segments that a set goes on with into the archive; those that are there already stay as they are.

    `given` is a file with the private key, where `identity` was not read yet. Raises BackupSetInvalidError where a
    segment is damaged or no key opens it, CommandFailedError where the remote or the archive fails.
    """
    manifest = backup_set.manifest
    start = manifest.cluster.start_lsn if manifest.cluster else ""
    found = [each for each in chains_there(bucket, manifest.instance) if belongs(manifest, each.chain)]
    with changing(stack, host, "pull-wal", {"set": backup_set.path}) as change:
        change.step("fetch-wal", "Fetching the WAL from off-site")
        _create_archive(stack, host)
        here = {each.name: each.segments for each in read_chains(stack, host)}
        for each in found:
            lacking = [one for one in each.since(start) if one.name not in here.get(each.chain.name, ())]
            if lacking and any(one.encrypted for one in lacking) and identity is None:
                identity = identity_of(host, given or PROMPT)
            _bring(stack, host, change, bucket, (manifest.instance, each, lacking), identity)


def _create_archive(stack: Stack, host: Host) -> None:
    if not stack.settings["WAL_FOLDER"] and host.processes.try_run(docker.volume(stack.wal_place)).code != 0:
        host.processes.run(commands.create_archive(stack))


_What = tuple[str, RemoteChain, list[Segment]]


def _bring(  # noqa: PLR0917 - from where to where, and what
    stack: Stack, host: Host, change: Change, bucket: Bucket, what: _What, identity: Identity | None
) -> None:
    instance, there, lacking = what
    if not lacking:
        return
    chain, work = there.chain, PulledSet(stack.state_folder, f"{WORK}{change.opening.id}")
    host.processes.run(commands.place_description(stack, chain, description_of(chain)))
    try:
        for done, each in enumerate(lacking):
            host.reporter.step(f"Fetching WAL: {done} of {len(lacking)} segments of {chain.name}")
            work.begin()
            name = f"{folder_of(bucket, instance, chain.name)}/{each.object}"
            if problem := work.write(each.artifact, bucket.store.read(name)):
                remedy = "Choose an earlier moment, or push the WAL again where it still is."
                raise BackupSetInvalidError(
                    f"The WAL of {chain.name} at the remote is damaged", details=(problem,), remedy=remedy
                )
            content = _unpacked(work.path_of(each.artifact), identity, chain.segment_size)
            host.processes.feed(commands.place_segment(stack, chain, each.name, each.written), content)
            work.path_of(each.artifact).unlink()
    except OSError as error:
        raise CommandFailedError(f"Cannot write the WAL to {stack.state_folder}: {error.strerror}") from error
    finally:
        drop_fetched_wal(stack)


def _unpacked(path: Path, identity: Identity | None, size: int) -> Iterator[bytes]:
    """The segment itself. Raises BackupSetInvalidError for one that is not of this size or cannot be unpacked."""
    unpacker, total = zlib.decompressobj(wbits=31), 0
    sealed: Iterable[bytes] = opened(path, identity) if identity and path.suffix == ".age" else read_chunks(path)
    try:
        for chunk in sealed:
            content = unpacker.decompress(chunk, size - total + 1)
            total += len(content)
            if total > size:
                break
            yield content
    except zlib.error as error:
        raise BackupSetInvalidError(f"{path.name} cannot be unpacked: {error}") from error
    if total != size or not unpacker.eof:
        raise BackupSetInvalidError(f"{path.name} holds {total} bytes of WAL, not {size}")


def drop_fetched_wal(stack: Stack) -> None:
    """Removes what was fetched and not placed yet: no other works while the lock is held."""
    for folder in stack.state_folder.glob(f"{WORK}*"):
        shutil.rmtree(folder, ignore_errors=True)


def end_pull_wal(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    """What is in the archive is whole segments: nothing has to be put back, and the next restore goes on from there."""
    with changing(stack, host, "undo-pull-wal", resume=journal) as change:
        change.step("drop-fetched", "Removing what was fetched and not placed yet")
        drop_fetched_wal(stack)
