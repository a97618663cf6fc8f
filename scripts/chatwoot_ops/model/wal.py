"""The archive of the WAL as data: its chains, which segments each has, and which lie between two positions.

A chain is what one replication slot received of one cluster; `infra/docker/chatwoot/wal/receive.sh` lays it out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

SLOT_PREFIX = "chatwoot_wal_"
PARTIAL = ".partial"
# A segment's name: timeline, then the number of the segment in two parts (PostgreSQL, xlog_internal.h).
_SEGMENT = re.compile(r"(?P<timeline>[0-9A-F]{8})(?P<high>[0-9A-F]{8})(?P<low>[0-9A-F]{8})")
_OF_ONE_HIGH = 1 << 32


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain: the slot it is named by, its cluster, where it begins, and its segments in order.

    The last segment may still be `partial`. `received` is when its newest WAL was written to it (UTC, ISO 8601);
    `written` is that of each segment that is finished.
    """

    name: str
    system: str
    cluster: str
    timeline: str
    begun: str
    lsn: str
    segment_size: int
    segments: tuple[str, ...] = ()
    partial: bool = False
    size: int = 0
    received: str = ""
    written: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recovery:
    """How far a base backup is to be recovered: with the WAL of which chain, up to when.

    `until` is a time as PostgreSQL reads it, "" for all that the chain holds; `newest` is the change that must then be
    reached ("" for none). `moment` is what people are told.
    """

    chain: str
    until: str
    newest: str
    moment: str


def position(lsn: str) -> int:
    """A position in the WAL such as "0/3000028" as a number of bytes."""
    high, _, low = lsn.partition("/")
    return int(high, 16) * _OF_ONE_HIGH + int(low, 16)


def segment_at(chain: Chain, lsn: str) -> str:
    """The name of the segment of a chain that holds this position."""
    return _name(chain, position(lsn) // chain.segment_size)


def number(chain: Chain, segment: str) -> int:
    """Which segment of the WAL this is, from its start on.

    Raises ValueError for what is no segment's name.
    """
    parts = _SEGMENT.fullmatch(segment)
    if parts is None:
        raise ValueError(segment)
    return int(parts["high"], 16) * (_OF_ONE_HIGH // chain.segment_size) + int(parts["low"], 16)


def _name(chain: Chain, which: int) -> str:
    in_one = _OF_ONE_HIGH // chain.segment_size
    return f"{chain.timeline}{which // in_one:08X}{which % in_one:08X}"


def missing(chain: Chain, start: str = "") -> tuple[str, ...]:
    """The segments that a chain lacks from the one that holds `start` (else from its first) to its last."""
    if not chain.segments:
        return (segment_at(chain, start),) if start else ()
    first = segment_at(chain, start) if start else chain.segments[0]
    there = set(chain.segments)
    wanted = range(number(chain, first), number(chain, chain.segments[-1]) + 1)
    lacking = tuple(name for which in wanted if (name := _name(chain, which)) not in there)
    return lacking if wanted else (first,)


def parse_archive(text: str) -> tuple[Chain, ...]:
    """The chains of an archive, oldest first, from the listing that commands.wal.listing prints.

    Raises KeyError or ValueError for a chain whose description is damaged.
    """
    return tuple(sorted(map(_chain, text.split("chain=")[1:]), key=lambda each: each.name))


def _chain(text: str) -> Chain:
    name, *lines = text.splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line]
    facts = {key: value for key, value in pairs if key != "file"}
    files = sorted(value.split() for key, value in pairs if key == "file")
    segments = sorted({name.removesuffix(PARTIAL) for name, _, _ in files if _SEGMENT.match(name)})
    newest = max((float(changed) for _, _, changed in files), default=0.0)
    return Chain(
        name=name,
        system=facts["system"],
        cluster=facts["cluster"],
        timeline=facts["timeline"],
        begun=facts["begun"],
        lsn=facts["lsn"],
        segment_size=int(facts["segment_size"]),
        segments=tuple(segments),
        partial=any(name.endswith(PARTIAL) for name, _, _ in files),
        size=sum(int(size) for _, size, _ in files),
        received=datetime.fromtimestamp(newest, UTC).isoformat() if newest else "",
        written={
            name: datetime.fromtimestamp(float(changed), UTC).isoformat()
            for name, _, changed in files
            if _SEGMENT.fullmatch(name)
        },
    )


def not_needed(chain: Chain, starts: Iterable[str], *, off_site: str = "") -> tuple[str, ...]:
    """The segments of a chain that no base backup needs which starts at one of these positions; none without any.

    Without a base backup nobody can say what a later one will need: the chain is left whole. With `off_site`, the last
    segment of it that is there, those after it stay: a base backup that is there only still needs them.
    """
    firsts = [position(start) // chain.segment_size for start in starts]
    if not firsts:
        return ()
    end = min(*firsts, number(chain, off_site) + 1) if off_site else min(firsts)
    return tuple(each for each in chain.segments if number(chain, each) < end)
