"""Which backup sets a policy keeps, and by which rule: pure, so that every case can be tried without a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

NEWEST, LAST_VERIFIED, MARKED = "newest", "last verified", "marked"
_PERIODS: dict[str, Callable[[datetime], tuple[int, ...]]] = {
    "daily": lambda made: (made.year, made.month, made.day),
    "weekly": lambda made: made.isocalendar()[:2],
    "monthly": lambda made: (made.year, made.month),
    "yearly": lambda made: (made.year,),
}


@dataclass(frozen=True, slots=True)
class Policy:
    """How many sets each rule keeps: the last ones, and the newest of that many days, weeks, months and years."""

    last: int
    daily: int
    weekly: int
    monthly: int
    yearly: int

    @property
    def keeps_nothing(self) -> bool:
        """Whether no rule keeps any set."""
        return not (self.last or self.daily or self.weekly or self.monthly or self.yearly)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A whole set as a policy sees it. `needs` are names of sets without which this one cannot be restored."""

    name: str
    sequence: int
    created: datetime
    verified: bool = False
    marked: bool = False
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a set: the rules that keep it; none of them means that it is removed."""

    name: str
    kept_by: tuple[str, ...]


@dataclass(slots=True)
class _Rules:
    """The rules that keep each set, gathered."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def keep(self, candidate: Candidate, rule: str) -> None:
        self.found.setdefault(candidate.name, []).append(rule)


def decide(
    candidates: Iterable[Candidate], policy: Policy, protected: Mapping[str, str] | None = None
) -> tuple[Verdict, ...]:
    """A verdict on each set, newest first.

    Newest is the highest sequence, never the latest date: a clock that jumped back or forward moves no set. A period is
    one of the calendar in UTC, and the rules count the periods that have a set. `protected` are names of sets that are
    kept whatever the policy says, each with its reason.
    """
    newest_first = sorted(candidates, key=lambda each: (each.sequence, each.created, each.name), reverse=True)
    rules = _Rules()
    _keep_whatever_the_policy(newest_first, rules, protected or {})
    for each in newest_first[: policy.last]:
        rules.keep(each, "last")
    for name, wanted in (
        ("daily", policy.daily),
        ("weekly", policy.weekly),
        ("monthly", policy.monthly),
        ("yearly", policy.yearly),
    ):
        _keep_newest_of_each(newest_first, name, wanted, rules)
    _keep_what_is_needed(newest_first, rules)
    return tuple(Verdict(each.name, tuple(rules.found.get(each.name, ()))) for each in newest_first)


def _keep_whatever_the_policy(newest_first: Sequence[Candidate], rules: _Rules, protected: Mapping[str, str]) -> None:
    for each in newest_first[:1]:
        rules.keep(each, NEWEST)
    for each in [each for each in newest_first if each.verified][:1]:
        rules.keep(each, LAST_VERIFIED)
    for each in newest_first:
        if each.marked:
            rules.keep(each, MARKED)
        if each.name in protected:
            rules.keep(each, protected[each.name])


def _keep_newest_of_each(newest_first: Sequence[Candidate], name: str, wanted: int, rules: _Rules) -> None:
    seen: set[tuple[int, ...]] = set()
    for each in newest_first:
        period = _PERIODS[name](each.created.astimezone(UTC))
        if len(seen) < wanted and period not in seen:
            seen.add(period)
            rules.keep(each, name)


def _keep_what_is_needed(newest_first: Sequence[Candidate], rules: _Rules) -> None:
    by_name = {each.name: each for each in newest_first}
    waiting = [each for each in newest_first if each.name in rules.found]
    while waiting:
        dependent = waiting.pop()
        for each in (by_name[name] for name in dependent.needs if name in by_name):
            if each.name not in rules.found:
                waiting.append(each)
            rules.keep(each, f"needed by {dependent.name}")
