"""Throwaway sandbox stacks whose database holds invented support traffic; each size is made once in a run."""

from __future__ import annotations

import atexit
import sys
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose
from chatwoot_ops.commands.database import where
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations.opening import Place, open_with, place_of
from chatwoot_ops.operations.rehearse import SANDBOX, build_sandbox
from chatwoot_ops.operations.setup import set_up
from chatwoot_ops.operations.throwaway import throwaway

ROOT = Path(__file__).resolve().parent.parent
FILL = ROOT.parent / "shared/chatwoot-db/fill.sql"
COMPOSE = Path(sys.executable).with_name("docker-compose")
# As the databases came out.
SIZES = {"80 MB": 50_000, "1 GB": 900_000}
_SETTINGS = {
    **SANDBOX.others,
    "CHATWOOT_IMAGE": SANDBOX.newer,
    "CHATWOOT_FAKE_BOOT_SECONDS": "0",
    # A backup writes its sets where the bare command writes its file: the same disk.
    "BACKUP_FOLDER": "backups",
}
# The filling's rows name stored files that do not exist; the storage is not what is measured here.
_WITHOUT_FILES = "UPDATE active_storage_blobs SET service_name = 'none'; VACUUM ANALYZE; CHECKPOINT;\n"
_stacks = ExitStack()
atexit.register(_stacks.close)


def described() -> str:
    """The stacks in words."""
    sizes = " and ".join(f"{messages:,} messages ({size})" for size, messages in SIZES.items())
    return f"Throwaway sandbox stacks whose databases `fill.sql` fills with {sizes}."


def host() -> Host:
    """The machine, with nobody to tell."""
    return Host(COMPOSE)


def stack_at(env_file: str) -> Stack:
    """The stack whose settings lie there."""
    return open_with(place_of(ROOT, env_file), host())


@cache
def filled_stack(messages: int) -> Stack:
    """A running stack with so many messages; it is removed when the program ends."""
    machine, own = host(), place_of(ROOT)
    build_sandbox(own.compose_folder.parent / "sandbox" / "build", machine)
    place = _stacks.enter_context(throwaway(own, machine, _SETTINGS)).place
    set_up(place, machine, quick=True)
    return _fill(place, machine, messages)


def _fill(place: Place, machine: Host, messages: int) -> Stack:
    stack = open_with(place, machine)
    argv = ("psql", "-X", "-q", "-v", f"messages={messages}", *where(stack))
    command = compose.execute(stack, COMPOSE, DATABASE, *argv, purpose="Filling the database", timeout=3600)
    machine.processes.feed(command, (FILL.read_bytes(), _WITHOUT_FILES.encode()))
    return stack
