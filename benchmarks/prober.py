"""A customer of the web who asks for a page ten times a second, whatever became of the requests before."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from chatwoot_ops.model.stack import Stack
from figures import Figures, Run

EVERY_SECONDS = 0.1
# A web server in front of Chatwoot waits that long for it.
PATIENCE_SECONDS = 60
# The page needs database and Redis.
PAGE = "/app/login"
_GOOD = 200
_MOST_WAITING = 200


@dataclass(slots=True)
class Probed:
    """When each request began and ended, and whether it got the page."""

    requests: list[tuple[float, float, bool]] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Requests that did not get the page."""
        return sum(not good for *_, good in self.requests)

    @property
    def slowest(self) -> float:
        """Seconds of the request that took longest."""
        return max(ended - began for began, ended, _ in self.requests)

    def answered_after(self, moment: float) -> float:
        """When the first page came that had not come before this moment."""
        return min(ended for _, ended, good in self.requests if good and ended > moment)


@contextmanager
def probing(stack: Stack) -> Iterator[Probed]:
    """Asks for as long as the block runs."""
    probed, over = Probed(), Event()
    port = int(stack.settings["CHATWOOT_PORT"])
    with ThreadPoolExecutor(_MOST_WAITING) as pool:
        asking = Thread(target=_ask, args=(port, probed, over, pool))
        asking.start()
        try:
            yield probed
        finally:
            over.set()
            asking.join()


def probed(stack: Stack, run: Run) -> Run:
    """The same run while customers ask, as ours is measured."""

    def made() -> Figures:
        with probing(stack):
            return run()

    return made


def _ask(port: int, probed: Probed, over: Event, pool: ThreadPoolExecutor) -> None:
    due = time.monotonic()
    while not over.is_set():
        pool.submit(_get, port, probed)
        due += EVERY_SECONDS
        time.sleep(max(0.0, due - time.monotonic()))


def _get(port: int, probed: Probed) -> None:
    began, good = time.time(), False
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", PAGE, headers={"X-Forwarded-Proto": "https"})
        answer = connection.getresponse()
        answer.read()
        good = answer.status == _GOOD
    except (OSError, http.client.HTTPException):
        good = False
    finally:
        connection.close()
    probed.requests.append((began, time.time(), good))
