"""One value for two managers: what it means to systemd and to cron, when it is due next, and when it was due last."""

from datetime import datetime
from itertools import islice

import pytest

from chatwoot_ops.model.setting_types import wrong_with
from chatwoot_ops.model.timetable import (
    JITTER_MINUTES,
    Times,
    cron_fields,
    jitter,
    last_run,
    next_runs,
    on_calendar,
    parse_times,
)

# A Tuesday.
NOW = datetime(2026, 11, 24, 8, 0)  # noqa: DTZ001 - local time, as a schedule means it
GOOD = ("off", "hourly 00", "hourly 59", "daily 00:00", "daily 23:59", "weekly sun 04:00", "monthly 28 05:00")
BAD = (
    *("", "on", "daily", "daily 2:30", "daily 24:00", "daily 02:60", "hourly 60", "hourly 5", "weekly 04:00"),
    *("weekly Sun 04:00", "weekly xyz 04:00", "monthly 0 05:00", "monthly 29 05:00", "monthly 5", "30 2 * * *"),
    *(" daily 02:30", "daily 02:30 ", "daily  02:30", "daily ٠٢:٣٠", "*-*-* 02:30:00"),
)


@pytest.mark.parametrize("text", GOOD)
def test_a_schedule_that_can_be_is_accepted(text):
    assert wrong_with("schedule", text) == ""


@pytest.mark.parametrize("text", BAD)
def test_a_schedule_that_cannot_be_says_what_is_meant(text):
    assert wrong_with("schedule", text).startswith("must be off, or such as hourly 15, daily 02:30, weekly sun 04:00")
    assert wrong_with("schedule", "weekly sun 04:00 ")


@pytest.mark.parametrize(
    ("text", "times", "calendar", "fields"),
    [
        ("hourly 15", Times(15), "*-*-* *:15:00", "17 * * * *"),
        ("daily 02:30", Times(30, 2), "*-*-* 02:30:00", "32 2 * * *"),
        ("weekly sun 04:00", Times(0, 4, weekday=6), "Sun *-*-* 04:00:00", "2 4 * * 0"),
        ("weekly mon 23:05", Times(5, 23, weekday=0), "Mon *-*-* 23:05:00", "7 23 * * 1"),
        ("monthly 1 05:00", Times(0, 5, day=1), "*-*-01 05:00:00", "2 5 1 * *"),
    ],
)
def test_a_schedule_means_the_same_to_systemd_and_to_cron(text, times, calendar, fields):
    assert parse_times(text) == times
    assert on_calendar(times) == calendar
    assert cron_fields(times, 2) == fields


def test_off_is_no_time():
    assert parse_times("off") is None


def shown(moments):
    return [each.strftime("%m-%d %H:%M") for each in moments]


@pytest.mark.parametrize(
    ("text", "following", "last"),
    [
        ("hourly 15", ["11-24 08:15", "11-24 09:15", "11-24 10:15"], "11-24 07:15"),
        ("hourly 00", ["11-24 09:00", "11-24 10:00", "11-24 11:00"], "11-24 08:00"),
        ("daily 02:30", ["11-25 02:30", "11-26 02:30", "11-27 02:30"], "11-24 02:30"),
        ("daily 08:00", ["11-25 08:00", "11-26 08:00", "11-27 08:00"], "11-24 08:00"),
        ("daily 09:00", ["11-24 09:00", "11-25 09:00", "11-26 09:00"], "11-23 09:00"),
        ("weekly sun 04:00", ["11-29 04:00", "12-06 04:00", "12-13 04:00"], "11-22 04:00"),
        ("monthly 1 05:00", ["12-01 05:00", "01-01 05:00", "02-01 05:00"], "11-01 05:00"),
        ("monthly 28 05:00", ["11-28 05:00", "12-28 05:00", "01-28 05:00"], "10-28 05:00"),
    ],
)
def test_the_next_runs_and_the_last_are_those_of_the_calendar(text, following, last):
    times = parse_times(text)
    assert shown(islice(next_runs(times, NOW), 3)) == following
    assert shown([last_run(times, NOW)]) == [last]


def test_a_month_is_never_left_out_by_its_length():
    times = parse_times("monthly 28 05:00")
    assert [each.month for each in islice(next_runs(times, NOW), 14)] == [11, 12, *range(1, 13)]


def test_the_jitter_is_the_same_each_time_differs_between_machines_and_stays_within_the_hour():
    times, late = Times(30, 2), Times(55, 23, day=28)
    assert jitter(times, "one", "backup") == jitter(times, "one", "backup")
    found = {jitter(times, f"instance-{number}", "backup") for number in range(300)}
    assert found == set(range(JITTER_MINUTES))
    assert {jitter(late, f"instance-{number}", "backup") for number in range(300)} == set(range(5))
    assert jitter(Times(59, 1), "one", "backup") == 0
