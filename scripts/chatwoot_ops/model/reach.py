"""Which moments can be reached: base backups and the chains of WAL that go on from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.wal import Chain, missing, number, segment_at

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Span:
    """Every moment from `first` to `last` can be reached from this set with this chain.

    A set is whole only when it is sealed, so its own moment is the first. `gap` is the first missing segment, "" for
    none: then nothing can.
    """

    set: BackupSet
    chain: Chain
    first: datetime
    last: datetime
    gap: str = ""


def spans(chains: Iterable[Chain], sets: Iterable[BackupSet]) -> tuple[Span, ...]:
    """What each physical set reaches with the chain that it belongs to, oldest set first."""
    there = tuple(chains)
    return tuple(span for each in sets for chain in there if (span := _span(each, chain)) is not None)


def _span(each: BackupSet, chain: Chain) -> Span | None:
    cluster = each.manifest.cluster
    if cluster is None or not chain.segments or not chain.received:
        return None
    if (cluster.system_identifier, cluster.folder) != (chain.system, chain.cluster):
        return None
    if f"{cluster.timeline:08X}" != chain.timeline:
        return None
    # A cluster may have had an earlier chain, which ended when its slot was lost, or a later one.
    start = number(chain, segment_at(chain, cluster.start_lsn))
    if not number(chain, chain.segments[0]) <= start <= number(chain, chain.segments[-1]):
        return None
    gap = next(iter(missing(chain, cluster.start_lsn)), "")
    return Span(each, chain, moment_of(each.manifest.created), moment_of(chain.received), gap)


def moment_of(text: str) -> datetime:
    """A moment with its time zone, in UTC.

    Raises ValueError for text that is none, or that names no time zone.
    """
    found = datetime.fromisoformat(text.strip())
    if found.tzinfo is None:
        raise ValueError(text)
    return found.astimezone(UTC)


def choose(found: Iterable[Span], moment: datetime | None) -> Span | None:
    """The span of the newest set from which this moment can be reached, None for no such; without one, the end.

    The newest set has the least WAL to go through.
    """
    whole = [span for span in found if not span.gap]
    if moment is None:
        return max(whole, key=lambda span: (span.last, span.set.manifest.sequence), default=None)
    fits = [span for span in whole if span.first <= moment <= span.last]
    return max(fits, key=lambda span: span.set.manifest.sequence, default=None)


def span_line(span: Span) -> str:
    """A span for people."""
    if span.gap:
        return f"{span.set.manifest.name}: nothing, its WAL lacks the segment {span.gap} ({span.chain.name})"
    return f"{span.set.manifest.name}: {stamp(span.first)} to {stamp(span.last)} ({span.chain.name})"


def stamp(moment: datetime) -> str:
    """A moment as PostgreSQL and people read it, in UTC, without a fraction that is zero."""
    return moment.isoformat(sep=" ").removesuffix("+00:00").removesuffix(".000000") + "+00"
