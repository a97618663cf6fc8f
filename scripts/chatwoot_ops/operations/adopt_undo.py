"""Ends a takeover that was cut off: what it made here goes, or it is brought to its end. The source needs nothing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chatwoot_ops.adapters.env_file import write_env_file
from chatwoot_ops.adapters.files import remove_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.adopt_fetch import drop_copy
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.throwaway import sweep
from chatwoot_ops.operations.undo_restore import refuse_loss

WORK, BEFORE = "adopt", "env-before"


def work_of(stack: Stack) -> Path:
    """The private folder in which a takeover keeps what it has read; it is gone when the takeover has ended."""
    return stack.state_folder / WORK


def put_away(place: Place, stack: Stack, host: Host, change: Change, noted: Mapping[str, Any]) -> None:
    """Removes what a takeover made here once it had written `.env`: containers, volumes, settings.

    `noted` is what the step that wrote them had noted. The network stays: other stacks share it.
    """
    change.step("put-away", "Removing what the takeover had made here")
    ids = host.processes.run(docker.containers_of(stack.project)).stdout.split()
    if ids:
        host.processes.run(docker.remove_containers(*ids))
    host.processes.run(docker.remove_volumes(*(str(name) for name in noted["created"])))
    host.processes.try_run(docker.remove_network(f"{stack.project}_stack"))
    before = work_of(stack) / BEFORE
    if before.is_file():
        write_env_file(place.env_file, before.read_text(encoding="utf-8"))
    elif not noted["had_settings"]:
        remove_file(place.env_file)


def undo_adopt(place: Place, stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --undo` does: this side is as empty as before.

    Raises StackLockedError where customers have written to it since.
    """
    refuse_loss(stack, host, journal)
    with changing(stack, host, "undo-adopt", resume=journal) as change:
        sweep(host)
        if copy := journal.facts("copy-database"):
            drop_copy(stack, host, str(copy["copy"]))
        if noted := journal.facts("settings"):
            put_away(place, stack, host, change, noted)
        change.step("drop-work", "Removing what was read of the source")
        shutil.rmtree(work_of(stack), ignore_errors=True)
