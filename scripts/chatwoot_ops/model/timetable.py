"""When a task runs by itself: one value that both a systemd calendar and a cron line can be made from.

`hourly 15`, `daily 02:30`, `weekly sun 04:00`, `monthly 1 05:00`, or `off`; in the machine's local time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import count

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFF = "off"
JITTER_MINUTES = 15
_FORM = re.compile(
    r"hourly (?P<past>[0-5]\d)"
    r"|(?:daily|weekly (?P<weekday>[a-z]{3})|monthly (?P<day>[1-9]\d?)) (?P<hour>[01]\d|2[0-3]):(?P<minute>[0-5]\d)"
)
# Every month has it.
_LAST_DAY = 28
_MEANT = "must be off, or such as hourly 15, daily 02:30, weekly sun 04:00 or monthly 1 05:00 (a day from 1 to 28)"


@dataclass(frozen=True, slots=True)
class Times:
    """When a task is due. `hour` is None for every hour, `weekday` (0 is Monday) and `day` None for every day."""

    minute: int
    hour: int | None = None
    weekday: int | None = None
    day: int | None = None

    def due_on(self, moment: datetime) -> bool:
        """Whether this is one of its days."""
        return self.weekday in {None, moment.weekday()} and self.day in {None, moment.day}


def wrong_with_times(text: str) -> str:
    """What is wrong with a schedule, as the end of a sentence; "" when nothing is."""
    found = _FORM.fullmatch(text)
    if text == OFF:
        return ""
    if not found or (found["weekday"] and found["weekday"] not in WEEKDAYS) or int(found["day"] or 1) > _LAST_DAY:
        return _MEANT
    return ""


def parse_times(text: str) -> Times | None:
    """The times of a schedule that nothing is wrong with; None for one that is off."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    if found["past"]:
        return Times(int(found["past"]))
    weekday = WEEKDAYS.index(found["weekday"]) if found["weekday"] else None
    return Times(int(found["minute"]), int(found["hour"]), weekday, int(found["day"]) if found["day"] else None)


def on_calendar(times: Times) -> str:
    """As systemd writes it (systemd.time(7), calendar events)."""
    weekday = f"{WEEKDAYS[times.weekday].capitalize()} " if times.weekday is not None else ""
    day = f"{times.day:02}" if times.day else "*"
    hour = f"{times.hour:02}" if times.hour is not None else "*"
    return f"{weekday}*-*-{day} {hour}:{times.minute:02}:00"


def cron_fields(times: Times, later: int) -> str:
    """The five fields of crontab(5), `later` minutes after the time; Sunday is 0."""
    weekday = str((times.weekday + 1) % 7) if times.weekday is not None else "*"
    hour = str(times.hour) if times.hour is not None else "*"
    return f"{times.minute + later} {hour} {times.day or '*'} * {weekday}"


def jitter(times: Times, *named: str) -> int:
    """Minutes after the time, the same for the same names, so that many machines do not all begin at once.

    It never leaves the hour: the day of a weekly or monthly run stays what the setting says.
    """
    number = int.from_bytes(hashlib.sha256("\0".join(named).encode()).digest()[:4], "big")
    return number % min(JITTER_MINUTES, 60 - times.minute)


def next_runs(times: Times, after: datetime) -> Iterator[datetime]:
    """The moments after this one at which it is due, without end; both in local time without a zone."""
    return (each for each in _moments(times, after, 1) if each > after)


def last_run(times: Times, before: datetime) -> datetime:
    """The last moment before this one at which it was due."""
    return next(each for each in _moments(times, before, -1) if each <= before)


def _moments(times: Times, start: datetime, step: int) -> Iterator[datetime]:
    hours = range(24) if times.hour is None else (times.hour,)
    for days in count(0, step):
        day = start + timedelta(days=days)
        if times.due_on(day):
            for hour in hours[::step]:
                yield datetime.combine(day.date(), time(hour, times.minute))
