"""The continuous archive: what the server says of its receiver, what the archive holds, and its end."""

from __future__ import annotations

from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.wal_note import WalNote
from chatwoot_ops.commands import docker
from chatwoot_ops.commands import wal as commands
from chatwoot_ops.errors import CommandFailedError, OpsError
from chatwoot_ops.model.remote import remote_of
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import WAL, Stack
from chatwoot_ops.model.wal import Chain, not_needed, parse_archive
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.containers import containers_of
from chatwoot_ops.operations.database import ask_database

# A write is answered within milliseconds where the receiver works; one under load may be a second behind.
LONGEST_WAIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot of ours: `held` is how many bytes of WAL it keeps the server from giving up.

    `status` is the server's word: reserved and extended are well, unreserved is about to be lost.
    """

    name: str
    active: bool
    status: str
    held: int


@dataclass(frozen=True, slots=True)
class Receiver:
    """A connected receiver: bytes and seconds it is behind, and the seconds since it last answered."""

    slot: str
    state: str
    behind: int
    seconds: float
    silent: float


@dataclass(frozen=True, slots=True)
class ServerSide:
    """What the server says: its cluster, whether its writes wait for a receiver, and how many wait now.

    `waited` is for how many seconds the oldest of them has done so.
    """

    system: str
    cluster: str
    synchronous: bool
    waiting: int
    waited: float
    slots: tuple[Slot, ...]
    receivers: tuple[Receiver, ...]


def server_side(stack: Stack, host: Host) -> ServerSide:
    """What the server says of slots and receivers.

    Raises CommandFailedError when it does not answer.
    """
    raw = ask_database(stack, host, commands.STATE, purpose="Asking for the WAL receiver")
    slots, receivers = raw.pop("slots"), raw.pop("receivers")
    return ServerSide(
        **raw, slots=tuple(Slot(**each) for each in slots), receivers=tuple(Receiver(**each) for each in receivers)
    )


def read_chains(stack: Stack, host: Host) -> tuple[Chain, ...]:
    """The chains of the archive, oldest first; none where there is no archive yet.

    Raises CommandFailedError when it cannot be read.
    """
    if not stack.settings["WAL_FOLDER"] and host.processes.try_run(docker.volume(stack.wal_place)).code != 0:
        return ()
    text = host.processes.run(commands.listing(stack)).stdout
    try:
        return parse_archive(text)
    except (KeyError, ValueError) as error:
        remedy = "See the folders of the archive; a chain without its file 'chain' cannot be used."
        raise CommandFailedError("A chain of the WAL archive cannot be read", remedy=remedy) from error


def archive_line(stack: Stack, host: Host) -> str:
    """The archive in one line for `status`; what cannot be asked is said to be unknown."""
    if not stack.archives:
        return "off"
    try:
        server, chains = server_side(stack, host), read_chains(stack, host)
    except OpsError:
        return f"{stack.settings['WAL_ARCHIVE']}, unknown: the database or the archive cannot be asked"
    size = show_size(sum(chain.size for chain in chains))
    last = max((chain.received for chain in chains), default="")[:19] or "never"
    now = "; ".join(map(described, server.receivers)) or "NO RECEIVER"
    trouble = "".join(f"; {each}" for each in (stuck(server), lost(server)) if each)
    return f"{stack.settings['WAL_ARCHIVE']}, {now}{trouble}; {size} in {len(chains)} chains, last written {last}"


def stuck(server: ServerSide) -> str:
    """The writes that wait for a receiver which does not come back to them, in a few words; "" for none."""
    if not server.waiting or (server.receivers and server.waited < LONGEST_WAIT_SECONDS):
        return ""
    return f"{server.waiting} writes WAIT for it, the longest for {server.waited:.0f} s"


def lost(server: ServerSide) -> str:
    """The slots whose WAL the server gave up, in a few words; "" for none."""
    names = ", ".join(slot.name for slot in server.slots if slot.status == "lost")
    return f"slot {names} is LOST" if names else ""


def described(receiver: Receiver) -> str:
    """A receiver in a few words."""
    return f"{receiver.state}, {show_size(receiver.behind)} and {receiver.seconds:.1f} s behind"


def end_receiver(stack: Stack, host: Host, change: Change) -> None:
    """Ends a receiver that was switched off: its container goes, the archive stays."""
    left = tuple(each.id for each in containers_of(stack, host) if each.service == WAL)
    if stack.archives or not left:
        return
    change.step("end-archive", "Ending the WAL archive, which is switched off; what it holds stays")
    host.processes.run(commands.stop_receiver(*left))
    host.processes.run(docker.remove_containers(*left))


def drop_slots(stack: Stack, host: Host) -> None:
    """Where the archive is off: drops slots that nobody reads any more, so that they hold no WAL back."""
    if stack.archives:
        return
    dropped = ask_database(stack, host, commands.DROP_SLOTS, purpose="Looking for slots without a receiver")[0]
    if dropped:
        host.reporter.note(f"{dropped} replication slots of the WAL archive dropped; the archive itself is kept")


def prune_archive(stack: Stack, host: Host, change: Change) -> None:
    """Removes segments that are older than every base backup of their chain; a chain without one is left whole.

    Where that fails it is said and nothing more: the set that was just made is good.
    """
    if not stack.archives:
        return
    try:
        _remove_what_is_not_needed(stack, host, change)
    except OpsError as error:
        host.reporter.note(f"No WAL was removed from the archive: {error.message}")


def _remove_what_is_not_needed(stack: Stack, host: Host, change: Change) -> None:
    removable = {chain.name: found for chain in read_chains(stack, host) if (found := _not_needed(stack, chain))}
    if not removable:
        return
    count = sum(map(len, removable.values()))
    change.step("prune-archive", f"Removing {count} segments of WAL that no set needs any more")
    files = [f"{chain}/{segment}" for chain, segments in removable.items() for segment in segments]
    host.processes.run(commands.remove_segments(stack, files))


def _not_needed(stack: Stack, chain: Chain) -> tuple[str, ...]:
    clusters = [each.manifest.cluster for each in store_of(stack).sets()]
    starts = [
        each.start_lsn
        for each in clusters
        if each is not None and (each.system_identifier, each.folder) == (chain.system, chain.cluster)
    ]
    remote = remote_of(stack.settings.values)
    there = WalNote(stack.state_folder, remote.url).last() if remote else {}
    return not_needed(chain, starts, off_site=there.get(chain.name, ""))
