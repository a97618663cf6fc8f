"""What holds for every program that is started: its environment, and that it does not outlive us."""

from __future__ import annotations

import ctypes
import os
import signal

from chatwoot_ops.model.command import Command

_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """For between fork and exec: a child that outlives a killed parent would change the stack behind the journal."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def environment_of(command: Command) -> dict[str, str]:
    """Ours without what the command shuts out, and with what it brings."""
    inherited = {key: value for key, value in os.environ.items() if key not in command.without}
    return {**inherited, **command.environment}
