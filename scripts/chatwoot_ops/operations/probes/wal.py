"""The continuous archive: receiver, slot and chain, each with what to do when it is not well."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.reach import Span, stamp
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import WAL, Stack
from chatwoot_ops.model.wal import Chain, missing
from chatwoot_ops.operations.moments import reached
from chatwoot_ops.operations.wal import ServerSide, described, read_chains, server_side, stuck

LONGEST_SILENCE_SECONDS = 30
MOST_BEHIND = 256 * 1024**2
_LOGS = f"Type 'invoke logs --service {WAL}'; docs/how-to/point-in-time.md says what can be the matter"
_START = f"Type 'invoke up', which starts it where it ended. {_LOGS}"
_NEW_CHAIN = "The receiver was away too long; once it runs ('invoke up' starts it) it begins a new chain"
_BASE = "Type 'invoke backup --kind physical': without a base backup in it a chain restores nothing"


def archive(stack: Stack, host: Host) -> list[Check]:
    """What the server and the archive say; where the archive is off, whether it left a slot behind."""
    server = server_side(stack, host)
    if not stack.archives:
        return [_off(server)]
    chains = read_chains(stack, host)
    found = reached(stack, host, chains, server)
    return [_mode(stack, server), _receiver(server), _slot(server), _chain(server, chains, found)]


def writes(stack: Stack, host: Host) -> list[Check]:
    """Whether a write is answered, where it has to wait for the archive; nothing where it has not.

    A page still loads while nobody can send a message.
    """
    if stack.settings["WAL_ARCHIVE"] != "sync":
        return []
    server = server_side(stack, host)
    receiver = _receiver(server)
    if receiver.outcome is not Outcome.FAIL:
        return [passed("writes", "are archived before they are answered")]
    return [failed("writes", f"wait for the WAL receiver: {receiver.seen}", receiver.remedy)]


def _off(server: ServerSide) -> Check:
    name = "WAL archive"
    if not server.slots:
        return Check(name, Outcome.NOT_CONFIGURED, "WAL_ARCHIVE is off")
    held = ", ".join(f"{slot.name} ({show_size(slot.held)})" for slot in server.slots)
    return failed(name, f"is off, but a slot without a receiver holds WAL back: {held}", "Type 'invoke up' to drop it")


def _mode(stack: Stack, server: ServerSide) -> Check:
    name, wanted = "WAL archive", stack.settings["WAL_ARCHIVE"]
    runs = "sync" if server.synchronous else "async"
    if runs != wanted:
        return failed(name, f"the server runs as {runs}, .env says {wanted}", "Type 'invoke up'")
    return passed(name, "sync: no write is answered before it is archived" if server.synchronous else wanted)


def _receiver(server: ServerSide) -> Check:
    name = "WAL receiver"
    waits = f"; {stuck(server) or f'{server.waiting} writes WAIT for it'}" if server.synchronous else ""
    way_out = "; to let writes go on without it: WAL_ARCHIVE=async in .env, then 'invoke up'" if waits else ""
    if not server.receivers:
        return failed(name, f"none is connected{waits}", _START + way_out)
    receiver = server.receivers[0]
    seen = described(receiver)
    if receiver.silent > LONGEST_SILENCE_SECONDS or stuck(server):
        return failed(name, f"has not answered for {receiver.silent:.0f} s{waits}", _START + way_out)
    if receiver.behind > MOST_BEHIND:
        return failed(name, seen, _LOGS)
    return passed(name, seen)


def _slot(server: ServerSide) -> Check:
    name = "WAL slot"
    seen = ", ".join(f"{slot.name} {slot.status}, {show_size(slot.held)} kept" for slot in server.slots)
    if not server.slots:
        return failed(name, "the server has none of ours", _LOGS)
    if any(slot.status == "lost" for slot in server.slots):
        return failed(name, seen, f"{_NEW_CHAIN}. {_BASE}")
    if any(slot.status == "unreserved" for slot in server.slots):
        return warned(name, seen, f"It is about to be lost: get the receiver to run, or raise WAL_KEEP_SIZE. {_LOGS}")
    return passed(name, seen)


def _chain(server: ServerSide, chains: tuple[Chain, ...], found: tuple[Span, ...]) -> Check:
    name = "WAL chain"
    own = [chain for chain in chains if chain.system == server.system and chain.cluster == server.cluster]
    if not own:
        return failed(name, "the archive has none of the cluster that serves", _LOGS)
    chain = own[-1]
    seen = f"{chain.name} since {chain.begun}, {show_size(sum(each.size for each in chains))} in {len(chains)} chains"
    if lacking := missing(chain):
        gaps = f"{len(lacking)} segments are missing, the first is {lacking[0]}"
        return failed(name, f"{seen}; {gaps}", f"Nobody can go past the gap. {_BASE}")
    whole = [span for span in found if span.chain.name == chain.name and not span.gap]
    if not whole:
        return failed(name, f"{seen}; no base backup", _BASE)
    return passed(name, f"{seen}; any moment from {stamp(whole[0].first)} to {stamp(whole[-1].last)}")
