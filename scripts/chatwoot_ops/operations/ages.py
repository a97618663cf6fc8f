"""How old something may be."""

from __future__ import annotations

from datetime import timedelta

from chatwoot_ops.model.check import Check, failed, passed
from chatwoot_ops.model.duration import parse_duration, show_duration

# Seconds by which a clock is put right now and then.
TOLERANCE = timedelta(minutes=5)


def age_check(of: Check, age: timedelta, budget: str) -> Check:
    """The check with the age of what it has seen, failed where that is over the budget or not yet come."""
    if age < -TOLERANCE:
        return failed(of.name, f"could not check: {of.seen} of a time that has not come yet", "Set the clock")
    seen = f"{of.seen} {show_duration(age.total_seconds())} old, at most {budget}"
    return failed(of.name, seen, of.remedy) if age.total_seconds() > parse_duration(budget) else passed(of.name, seen)
