"""Lines for people: what was brought off-site or fetched from there, and what is there."""

from __future__ import annotations

from chatwoot_ops.console.backup_sets import set_line
from chatwoot_ops.model.size import show_size
from chatwoot_ops.operations.pulling import Pulled
from chatwoot_ops.operations.pushing import Pushed
from chatwoot_ops.operations.pushing_all import PushedAll
from chatwoot_ops.operations.remote import RemoteBackups, RemoteSet
from chatwoot_ops.operations.wal_push import WalPushed


def pushed(result: Pushed) -> list[str]:
    """A set that was read back off-site now."""
    return [
        f"{show_size(result.sent)} of {show_size(result.size)} were sent, every byte was read back",
        *(f"warning: {line}" for line in result.warnings),
        *(wal_pushed(result.wal) if result.wal.until else ()),
        f"Off-site in {result.seconds} s: {result.remote}",
    ]


def wal_pushed(result: WalPushed) -> list[str]:
    """WAL that was brought off-site now."""
    if not result.until:
        return ["No WAL is off-site: no physical set there goes on with it. Type 'invoke backup --kind physical'."]
    brought = f"{result.segments} segments of WAL were brought in {show_size(result.sent)}"
    return [f"{brought}; it is there up to {result.until}. What is written from now on is not."]


def pushed_all(result: PushedAll) -> list[str]:
    """The sets that were brought off-site now."""
    lines = [line for each in result.sets for line in (f"{each.name}:", *pushed(each))]
    return [
        *lines,
        f"{len(result.sets)} sets were brought off-site" if result.sets else "Every set is off-site already",
    ]


def pulled(result: Pulled) -> list[str]:
    """A set that was fetched now."""
    done = f"{show_size(result.fetched)} fetched, every checksum compared, in {result.seconds} s"
    return [set_line(result.set), f"{done if result.fetched else 'It was here already'}: {result.set.path}"]


def remote_backups(result: RemoteBackups) -> list[str]:
    """The sets at the remote."""
    unfinished = [f"{name}: no manifest, so no set; 'invoke push' finishes it" for name in result.unfinished]
    return [
        *(_remote_line(each) for each in result.sets),
        *result.damaged,
        *unfinished,
        f"{len(result.sets)} sets at {result.remote}",
    ]


def _remote_line(each: RemoteSet) -> str:
    manifest, read_back = each.manifest, each.off_site or "never"
    newest = manifest.data.newest_message or "no message"
    return (
        f"{manifest.instance}/{manifest.name:<28} {show_size(each.size):>10}  {manifest.release:<12} "
        f"newest message {newest:<28} read back {read_back}  {each.age} hours old"
    )
