"""Now and sleep, in one place, so that waiting can be tested."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

# For names of files and folders: no sign in it means anything to a shell or a file system.
COMPACT = "%Y%m%dT%H%M%SZ"


class Clock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time now, in UTC."""
        return datetime.now(UTC)

    def local(self, moment: datetime) -> datetime:
        """A moment in this machine's own time zone; one without a zone is taken to be of it."""
        return moment.astimezone()

    def stamp(self) -> str:
        """The time now as ISO 8601 in UTC, to the second."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def compact_stamp(self) -> str:
        """The same for names, as COMPACT has it."""
        return self.now().strftime(COMPACT)

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)

    def wait_until(self, condition: Callable[[], bool], *, timeout: float, interval: float = 1.0) -> bool:
        """Asks until the condition holds or `timeout` seconds are over; says which."""
        deadline = self.monotonic() + timeout
        while not condition():
            if self.monotonic() >= deadline:
                return False
            self.sleep(interval)
        return True
