"""What holds for each program that is started: its environment, its end with ours, and that Ctrl-C is not lost."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from chatwoot_ops.model.command import Command

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """For between fork and exec: a child that outlives a killed parent would change the stack behind the journal."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def environment_of(command: Command) -> dict[str, str]:
    """Ours without what the command shuts out, and with what it brings."""
    inherited = {key: value for key, value in os.environ.items() if key not in command.without}
    return {**inherited, **command.environment}


class Child(Protocol):
    """A program that was started."""

    def kill(self) -> None:
        """Ends it at once."""

    def wait(self) -> Any:  # noqa: ANN401 - of either kind of child
        """Returns when it is over."""


Started = TypeVar("Started", bound=Child)


def uninterrupted(start: Callable[[], Started]) -> Started:
    """What `start` returns; Ctrl-C and SIGTERM wait meanwhile, and then end the child and are raised.

    Raised in one of the hooks that Python runs around a fork, they would be printed and forgotten.
    """
    if threading.current_thread() is not threading.main_thread():
        return start()
    caught: list[int] = []
    wanted = [each for each in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(each))]
    before = {each: signal.signal(each, lambda number, _frame: caught.append(number)) for each in wanted}
    try:
        child = start()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if caught:
        child.kill()
        child.wait()
        raise KeyboardInterrupt
    return child
