"""redis-cli inside the Redis service; its password is in the container's environment (REDISCLI_AUTH)."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.commands import compose
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import REDIS, Stack


def ask(stack: Stack, program: Path, *words: str, purpose: str = "Asking Redis") -> Command:
    """One Redis command; the answer as redis-cli prints it to a pipe."""
    return compose.execute(stack, program, REDIS, "redis-cli", *words, purpose=purpose)


def script(stack: Stack, program: Path, lua: str, *, purpose: str = "Asking Redis") -> Command:
    """A read-only Lua script; its answer as one JSON line."""
    return compose.execute(stack, program, REDIS, "redis-cli", "EVAL", lua, "0", purpose=purpose)
