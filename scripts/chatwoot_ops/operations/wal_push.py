"""Brings the finished segments of the WAL archive off-site: packed, encrypted as sets are, each read back."""

from __future__ import annotations

import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.files import ensure_private_folder
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.adapters.pulled_set import digest_of
from chatwoot_ops.adapters.wal_note import WalNote
from chatwoot_ops.commands import wal as commands
from chatwoot_ops.errors import BackupFailedError, CommandFailedError, OpsError
from chatwoot_ops.model.remote_wal import PACKED, RemoteChain, Segment
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.wal import Chain, number, position
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.database import ask_database
from chatwoot_ops.operations.encryption import encryption_of
from chatwoot_ops.operations.remote import Bucket
from chatwoot_ops.operations.remote_chains import belongs, chain_there, folder_of, write_list
from chatwoot_ops.operations.wal import read_chains

WORK = "wal-going-"
# The receiver has a segment as soon as it is written, and renames it.
FINISHED_WITHIN_SECONDS = 20
# So many are lost to a kill, and sent again.
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class WalPushed:
    """How many segments were brought off-site now, in how many bytes, and up to when the WAL is there ("" for none)."""

    segments: int = 0
    sent: int = 0
    until: str = ""


@dataclass(frozen=True, slots=True)
class _Way:
    """From where to where, inside which operation."""

    stack: Stack
    host: Host
    change: Change
    bucket: Bucket
    work: Path

    @property
    def instance(self) -> str:
        """Whose WAL it is."""
        return self.stack.settings["CHATWOOT_INSTANCE_ID"]


def push_wal(stack: Stack, host: Host, change: Change, bucket: Bucket) -> WalPushed:
    """Brings each segment off-site that a set there goes on with; the one that is being written is finished first.

    Raises BackupFailedError; what was brought before stays there, and nothing in the archive here is changed.
    """
    if not stack.archives:
        return WalPushed()
    change.step("send-wal", "Bringing the finished WAL off-site")
    drop_work(stack)
    way = _Way(stack, host, change, bucket, stack.state_folder / f"{WORK}{change.opening.id}")
    try:
        brought = [_bring(way, chain) for chain in _chains(stack, host)]
    except (OSError, OpsError) as error:
        raise _not_off_site(error) from error
    finally:
        drop_work(stack)
    there = max((each.until for each in brought), default="")
    return WalPushed(sum(each.segments for each in brought), sum(each.sent for each in brought), there)


def _chains(stack: Stack, host: Host) -> tuple[Chain, ...]:
    """The chains once what was written until now is finished; where it is not, that is said and the rest goes.

    A quiet day else fills no segment, and all of it would be here alone.
    """
    seen: list[tuple[Chain, ...]] = []

    def has(segment: str) -> bool:
        # An older chain may have a segment of this name, of another cluster.
        seen.append(read_chains(stack, host))
        return any(segment in chain.written for chain in seen[-1][-1:])

    try:
        segment = str(ask_database(stack, host, commands.FINISH, purpose="Finishing the WAL segment")[0])
    except CommandFailedError as error:
        host.reporter.note(f"The WAL segment that is being written could not be finished: {error.message}")
        return read_chains(stack, host)
    if not host.clock.wait_until(lambda: has(segment), timeout=FINISHED_WITHIN_SECONDS):
        host.reporter.note(f"The WAL segment {segment} did not reach the archive. Type 'invoke doctor'.")
    return seen[-1]


def _not_off_site(error: OSError | OpsError) -> BackupFailedError:
    why, details = (error.message, error.details) if isinstance(error, OpsError) else (str(error), ())
    remedy = "The archive here is whole: type 'invoke push --wal'; what is there already is not sent again."
    return BackupFailedError(f"The WAL is not off-site: {why}", details=details, remedy=remedy)


def drop_work(stack: Stack) -> None:
    """Removes what a killed push was about to send: no other works while the lock is held."""
    for folder in stack.state_folder.glob(f"{WORK}*"):
        shutil.rmtree(folder, ignore_errors=True)


def start_there(stack: Stack, url: str, chain: Chain) -> str:
    """Where the oldest set begins that is off-site and goes on with this chain, "" where none is: it needs no WAL."""
    sets = [each.manifest for each in store_of(stack).sets() if each.lies_at(url) and belongs(each.manifest, chain)]
    return min((each.cluster.start_lsn for each in sets if each.cluster), key=position, default="")


def finished(chain: Chain) -> list[str]:
    """The segments that nothing is written into any more."""
    return [each for each in chain.segments if each in chain.written]


def lacking(chain: Chain, there: tuple[str, ...], start: str) -> list[str]:
    """The finished segments that are to be brought: since the set, and since the last that is there.

    A set that is off-site and no longer here still goes on with what follows on its segments.
    """
    firsts = [number(chain, there[-1]) + 1] if there else []
    firsts += [position(start) // chain.segment_size] if start else []
    return [each for each in finished(chain) if each not in there and firsts and number(chain, each) >= min(firsts)]


def _bring(way: _Way, chain: Chain) -> WalPushed:
    found = chain_there(way.bucket, way.instance, chain)
    missing = lacking(chain, found.chain.segments, start_there(way.stack, way.bucket.remote.url, chain))
    sent = 0
    for at in range(0, len(missing), AT_ONCE):
        way.host.reporter.step(f"Bringing WAL off-site: {at} of {len(missing)} segments of {chain.name}")
        new = [_send(way, chain, each) for each in missing[at : at + AT_ONCE]]
        found = _noted(way, found, new)
        sent += sum(each.size for each in new)
    return WalPushed(len(missing), sent, found.chain.received)


def _noted(way: _Way, found: RemoteChain, new: list[Segment]) -> RemoteChain:
    wider = found.with_segments((*found.there, *new))
    write_list(way.bucket, way.instance, wider)
    WalNote(way.stack.state_folder, way.bucket.remote.url).add(wider.chain.name, wider.chain.segments[-1])
    return wider


def _send(way: _Way, chain: Chain, segment: str) -> Segment:
    """Raises CommandFailedError where what the remote holds is not what was sent."""
    ensure_private_folder(way.work)
    partial = PartialSet(way.work, "", 0, [], encryption_of(way.stack))
    with partial.artifact(f"{segment}{PACKED}") as sink:
        packer, read = zlib.compressobj(1, wbits=31), [0]

        def take(chunk: bytes) -> None:
            read[0] += len(chunk)
            sink.write(packer.compress(chunk))

        way.host.processes.save_output(commands.read_segment(way.stack, chain, segment), take)
        sink.write(packer.flush())
    (artifact,) = partial.artifacts
    if read[0] != chain.segment_size:
        raise CommandFailedError(f"{segment} of {chain.name} has {read[0]} bytes, not {chain.segment_size}")
    name, path = f"{folder_of(way.bucket, way.instance, chain.name)}/{artifact.name}", way.work / artifact.name
    way.bucket.store.send(name, path)
    path.unlink()
    if problem := digest_of(artifact, way.bucket.store.read(name)):
        raise CommandFailedError("what the remote holds is not what was sent", details=(problem,))
    return Segment(artifact.name, artifact.size, artifact.sha256, chain.written[segment])
