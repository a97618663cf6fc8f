"""What an operator names, turned into what a restore starts from and, for a moment, how far it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import NoReturn

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import wal as commands
from chatwoot_ops.errors import BackupSetInvalidError, OpsError, SettingsInvalidError
from chatwoot_ops.model.reach import LATEST, Span, choose, moment_of, span_line, spans, stamp
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.wal import Chain, Recovery
from chatwoot_ops.operations.backup_sets import store_of as sets_of
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.source import Source, source_of_dump, source_of_set
from chatwoot_ops.operations.wal import ServerSide, read_chains, server_side


def named_source(stack: Stack, host: Host, where: Mapping[str, str]) -> Source:
    """The dump that is named, else the moment, else the set.

    Raises SettingsInvalidError where they contradict each other.
    """
    dump, to, before = where["dump"], where.get("to", ""), where.get("before", "")
    if sum(map(bool, (dump, to, before))) > 1:
        raise SettingsInvalidError("Choose one of --dump, --to and --to-before", remedy="Nothing was changed.")
    if dump:
        return source_of_dump(dump, where["storage"])
    if to or before:
        return source_of_moment(stack, host, to or before_upgrade(stack, host, before), where["set"])
    return source_of_set(stack, where["set"])


def source_of_moment(stack: Stack, host: Host, asked: str, set_name: str = LATEST) -> Source:
    """The newest physical set from which a moment can be reached, and the WAL up to it.

    `asked` is a time with its zone, or latest for all that was archived; with a set's name only that one is used.
    Raises SettingsInvalidError for text that is no time, BackupSetInvalidError naming all that can be reached.
    """
    moment = read_moment(asked)
    found = reachable(stack, host)
    if set_name != LATEST:
        wanted = sets_of(stack).find(set_name).path
        found = tuple(span for span in found if span.set.path == wanted)
    span = choose(found, moment)
    if span is None:
        refuse_moment(asked, found)
    return _source(stack, host, span, moment)


def refuse_moment(asked: str, found: tuple[Span, ...]) -> NoReturn:
    """Raises BackupSetInvalidError naming all that can be reached."""
    lines = tuple(map(span_line, found)) or ("nothing: no physical set has a chain of WAL that goes on from it",)
    remedy = "Choose a moment from this list, or a set: --set NAME. Nothing was changed."
    raise BackupSetInvalidError(f"'{asked}' cannot be reached; what can be:", details=lines, remedy=remedy)


def read_moment(asked: str) -> datetime | None:
    """The moment that is asked for, None for latest.

    Raises SettingsInvalidError for text that is no time with its zone.
    """
    if asked == LATEST:
        return None
    try:
        return moment_of(asked)
    except ValueError:
        remedy = 'Write it like "2026-11-22 14:05:00+01:00", or latest. Nothing was changed.'
        raise SettingsInvalidError(f"'{asked}' is no time with its time zone", remedy=remedy) from None


def _source(stack: Stack, host: Host, span: Span, moment: datetime | None) -> Source:
    newest = _last_change(stack, host, span.chain)
    # The server stops at the first change that is later, and gives up where there is none.
    ends_before = moment is not None and (newest is None or moment < newest)
    until = stamp(moment) if moment is not None and ends_before else ""
    told = stamp(moment or newest or span.last)
    base = source_of_set(stack, span.set.path)
    name = f"{base.name} and its WAL up to {told}"
    last = stamp(newest) if newest and not until else ""
    return replace(base, name=name, recovery=Recovery(span.chain.name, until, last, told))


def _last_change(stack: Stack, host: Host, chain: Chain) -> datetime | None:
    text = host.processes.run(commands.last_change(stack, chain)).stdout.strip()
    return moment_of(text) if text else None


def reachable(stack: Stack, host: Host) -> tuple[Span, ...]:
    """Every span that the sets and the archive that are here can reach, oldest set first."""
    chains = read_chains(stack, host)
    try:
        server: ServerSide | None = server_side(stack, host)
    except OpsError:
        server = None
    return reached(stack, host, chains, server)


def reached(stack: Stack, host: Host, chains: tuple[Chain, ...], server: ServerSide | None) -> tuple[Span, ...]:
    """The same for chains that were read already; without a server up to what their files say."""
    # Nothing was written since the newest WAL came where its receiver has all there is: so this moment is in the chain.
    receivers = server.receivers if server else ()
    now = {each.slot: host.clock.now().isoformat() for each in receivers if not each.behind}
    there = (replace(chain, received=now.get(chain.name, chain.received)) for chain in chains)
    return spans(there, sets_of(stack).sets())


def before_upgrade(stack: Stack, host: Host, name: str) -> str:
    """The moment at which an upgrade began: to the release of this name, or the last one.

    Raises BackupSetInvalidError when the ledger knows none.
    """
    known = [each for each in store_of(stack, host).entries() if each.operation == "upgrade"]
    found = [each for each in known if name in {"last", each.target}]
    if not found:
        lines = tuple(f"{each.started} to {each.target}" for each in known) or ("none",)
        remedy = "Name one of these, or a time: --to. Nothing was changed."
        raise BackupSetInvalidError(f"The ledger knows no upgrade '{name}'; it knows:", details=lines, remedy=remedy)
    return found[-1].started
