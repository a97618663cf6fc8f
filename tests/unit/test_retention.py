"""Which sets a policy keeps: by sequence and never by date alone, and the last good one whatever the policy says."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chatwoot_ops.model.retention import Candidate, Policy, decide

NOTHING = Policy(0, 0, 0, 0, 0)
START = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)


def nightly(count, *, start=START, step=timedelta(days=1), **changed):
    """So many sets, the last of them made at START."""
    made = (start - step * (count - number) for number in range(1, count + 1))
    return [Candidate(f"s{number}", number, at, **changed) for number, at in enumerate(made, 1)]


def kept(candidates, policy, protected=None):
    return {each.name: each.kept_by for each in decide(candidates, policy, protected) if each.kept_by}


def policy(**rules):
    return Policy(**{"last": 0, "daily": 0, "weekly": 0, "monthly": 0, "yearly": 0, **rules})


def test_no_sets_are_no_verdicts():
    assert decide([], policy(last=3)) == ()


def test_the_newest_is_kept_whatever_the_policy_says():
    assert kept(nightly(5), NOTHING) == {"s5": ("newest",)}


def test_the_last_ones_are_kept_and_the_verdicts_are_newest_first():
    found = decide(nightly(4), policy(last=2))
    assert [(each.name, each.kept_by) for each in found] == [
        ("s4", ("newest", "last")),
        ("s3", ("last",)),
        ("s2", ()),
        ("s1", ()),
    ]


def test_of_each_day_the_newest_is_kept():
    hourly = nightly(30, step=timedelta(hours=1))
    assert set(kept(hourly, policy(daily=2))) == {"s30", "s27"}


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        # 2026-11-24 is a Tuesday: the week began with s399, the month with s377, the year with s73.
        ({"weekly": 3}, {"s400", "s398", "s391"}),
        ({"monthly": 3}, {"s400", "s376", "s345"}),
        ({"yearly": 9}, {"s400", "s72"}),
    ],
)
def test_of_each_week_month_and_year_the_newest_is_kept(rule, names):
    assert set(kept(nightly(400), policy(**rule))) == names


def test_periods_are_those_of_utc():
    east = timezone(timedelta(hours=14))
    evening, morning = datetime(2026, 1, 1, 23, tzinfo=UTC), datetime(2026, 1, 2, 13, 30, tzinfo=east)
    assert evening.date() != morning.date()
    sets = [Candidate("a", 1, evening), Candidate("b", 2, morning)]
    assert set(kept(sets, policy(daily=5))) == {"b"}


def test_days_without_a_set_do_not_count():
    monthly = nightly(4, step=timedelta(days=40))
    assert set(kept(monthly, policy(daily=3))) == {"s4", "s3", "s2"}


def test_a_week_at_the_turn_of_a_year_is_one_week():
    sets = nightly(2, start=datetime(2027, 1, 2, tzinfo=UTC), step=timedelta(days=3))
    assert {each.created.year for each in sets} == {2026, 2027}
    assert set(kept(sets, policy(weekly=5))) == {"s2"}


def test_a_clock_that_jumped_back_never_costs_the_newest():
    sets = [*nightly(6), Candidate("back", 7, datetime(2019, 1, 1, tzinfo=UTC))]
    assert kept(sets, policy(last=1)) == {"back": ("newest", "last")}
    assert list(kept(sets, policy(daily=2))) == ["back", "s6"]


def test_a_clock_that_jumped_forward_and_was_put_right_costs_one_period_only():
    sets = [Candidate("ahead", 1, datetime(2031, 1, 1, tzinfo=UTC)), *nightly(6)[1:]]
    assert list(kept(sets, policy(yearly=1, last=2))) == ["s6", "s5"]
    assert "s6" in kept(sets, policy(yearly=1))


def test_the_one_verified_last_is_kept_and_the_newest_too():
    sets = [*nightly(2, verified=True), *nightly(5)[2:]]
    assert kept(sets, NOTHING) == {"s5": ("newest",), "s2": ("last verified",)}


def test_marked_and_protected_sets_are_kept_each_with_its_reason():
    marked = Candidate("m", 1, START, marked=True)
    found = kept([marked, *nightly(5)[1:]], NOTHING, {"s3": "way back"})
    assert found == {"m": ("marked",), "s3": ("way back",), "s5": ("newest",)}


def test_what_a_kept_set_needs_is_kept_and_what_that_one_needs_too():
    base, first = Candidate("base", 1, START), Candidate("first", 2, START, needs=("base",))
    newest = Candidate("second", 3, START, needs=("first", "gone"))
    other = Candidate("other", 0, START)
    assert kept([other, base, first, newest], NOTHING) == {
        "second": ("newest",),
        "first": ("needed by second",),
        "base": ("needed by first",),
    }


def test_what_only_a_set_that_goes_needs_goes_too():
    sets = [Candidate("base", 1, START), Candidate("first", 2, START, needs=("base",)), Candidate("new", 3, START)]
    assert set(kept(sets, NOTHING)) == {"new"}


def test_two_that_need_each_other_end():
    sets = [Candidate("a", 1, START, needs=("b",)), Candidate("b", 2, START, needs=("a",))]
    assert set(kept(sets, NOTHING)) == {"a", "b"}


def test_only_a_policy_of_zeros_keeps_nothing():
    assert NOTHING.keeps_nothing
    assert not policy(yearly=1).keeps_nothing


def test_whatever_the_history_the_rules_keep_what_they_promise():
    chosen = random.Random(5)  # noqa: S311 - a sample that is the same each time
    for _ in range(200):
        sets = [
            Candidate(
                f"s{n}", n, START + timedelta(hours=chosen.randrange(-9000, 9000)), verified=chosen.random() < 0.1
            )
            for n in range(1, chosen.randrange(2, 60))
        ]
        rules = Policy(*(chosen.randrange(4) for _ in range(5)))
        found = kept(sets, rules)
        newest = sets[-1].name
        assert "newest" in found[newest]
        assert {f"s{n}" for n in range(len(sets) - rules.last + 1, len(sets) + 1) if n > 0} <= set(found)
        verified = [each.name for each in sets if each.verified]
        assert not verified or "last verified" in found[verified[-1]]
        days = {each.created.date() for each in sets}
        assert sum("daily" in rules_ for rules_ in found.values()) == min(rules.daily, len(days))
        again = [each for each in sets if each.name in found]
        assert set(kept(again, rules)) == set(found), "pruning twice removes no more than once"
