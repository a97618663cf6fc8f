"""Throwaway stacks whose database holds invented support traffic; each size is made once in a run or held for several.

The database image is Debian 13's PostgreSQL 17 with pgvector, zstd and lz4 (infra/docker/bench): the sandbox has none.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose
from chatwoot_ops.commands.database import where
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations.opening import open_with, place_of
from chatwoot_ops.operations.rehearse import SANDBOX, build_sandbox
from chatwoot_ops.operations.setup import set_up
from chatwoot_ops.operations.throwaway import throwaway

ROOT = Path(__file__).resolve().parent.parent
FILL = ROOT.parent / "shared/chatwoot-db/fill.sql"
COMPOSE = Path(sys.executable).with_name("docker-compose")
# Names a file of stacks that another process holds: size or WAL archive, and where its settings lie (held.py).
HELD = "BENCH_STACKS"
# As the databases came out.
SIZES = {"80 MB": 50_000, "300 MB": 240_000, "1 GB": 900_000}
ARCHIVES = ("off", "async", "sync")
_IMAGE = "chatwoot-bench/postgres:17"
_SETTINGS = {
    **SANDBOX.others,
    "POSTGRES_IMAGE": _IMAGE,
    "CHATWOOT_IMAGE": SANDBOX.newer,
    "CHATWOOT_FAKE_BOOT_SECONDS": "0",
    # A backup writes its sets where the bare command writes its file: the same disk.
    "BACKUP_FOLDER": "backups",
    # As the bars were set: the bare tools had both processors (facts/perf.md).
    "POSTGRES_CPU_LIMIT": "2",
}
# The filling's rows name stored files that do not exist; the storage is not what is measured here.
_WITHOUT_FILES = "UPDATE active_storage_blobs SET service_name = 'none'; VACUUM ANALYZE; CHECKPOINT;\n"
_stacks = ExitStack()
atexit.register(_stacks.close)


def described(sizes: Mapping[str, int] = SIZES) -> str:
    """The stacks in words."""
    filled = ", ".join(f"{messages:,} messages ({size})" for size, messages in sizes.items())
    return (
        f"Throwaway sandbox stacks whose databases `fill.sql` fills with {filled}, on PostgreSQL 17 of Debian 13,\n"
        "which has zstd. The database may use both processors and 1 GB; all else is as in `.env.example`."
    )


def host() -> Host:
    """The machine, with nobody to tell."""
    return Host(COMPOSE)


def stack_at(env_file: str) -> Stack:
    """The stack whose settings lie there."""
    return open_with(place_of(ROOT, env_file), host())


@cache
def filled_stack(size: str) -> Stack:
    """A running stack of one of SIZES: one that is held, else a new one, removed when the program ends."""
    return _held(size) or _filled(_new({}), SIZES[size])


@cache
def archiving_stack(archive: str) -> Stack:
    """The same with an empty database and this WAL_ARCHIVE."""
    return _held(archive) or _new({"WAL_ARCHIVE": archive})


def _held(name: str) -> Stack | None:
    held = os.environ.get(HELD, "")
    known: dict[str, str] = json.loads(Path(held).read_text(encoding="utf-8")) if held else {}
    return stack_at(known[name]) if name in known else None


def _new(settings: Mapping[str, str]) -> Stack:
    machine, own = host(), place_of(ROOT)
    build_sandbox(own.compose_folder.parent / "sandbox" / "build", machine)
    subprocess.run((own.compose_folder.parent / "bench" / "build",), check=True)
    place = _stacks.enter_context(throwaway(own, machine, {**_SETTINGS, **settings})).place
    set_up(place, machine, quick=True)
    return open_with(place, machine)


def _filled(stack: Stack, messages: int) -> Stack:
    argv = ("psql", "-X", "-q", "-v", f"messages={messages}", *where(stack))
    command = compose.execute(stack, COMPOSE, DATABASE, *argv, purpose="Filling the database", timeout=3600)
    host().processes.feed(command, (FILL.read_bytes(), _WITHOUT_FILES.encode()))
    return stack
