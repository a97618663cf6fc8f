"""Starts the stack and takes it down; data stays unless it is given up by name."""

from __future__ import annotations

from dataclasses import dataclass

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, docker
from chatwoot_ops.errors import ConfirmationMissingError, OpsError, PreflightFailedError
from chatwoot_ops.model.intended import Intended
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import changing, require_quiet
from chatwoot_ops.operations.containers import containers_of, wait_until_healthy
from chatwoot_ops.operations.database import ask_database, database_state
from chatwoot_ops.operations.migrate import needs_preparing, start_data_services
from chatwoot_ops.operations.preflight import require
from chatwoot_ops.operations.volumes import volume_checks, volume_sizes
from chatwoot_ops.operations.wal import drop_slots, end_receiver

_LOSS = """SELECT json_build_object('conversations', (SELECT count(*) FROM conversations),
 'messages', (SELECT count(*) FROM messages), 'contacts', (SELECT count(*) FROM contacts),
 'files', (SELECT count(*) FROM active_storage_blobs), 'newest', (SELECT max(created_at) FROM messages))"""


@dataclass(frozen=True, slots=True)
class Started:
    """The stack runs and is healthy; `already` says that nothing had to be done."""

    url: str
    already: bool


@dataclass(frozen=True, slots=True)
class TakenDown:
    """The stack is down; `removed` are the volumes that are gone with their data."""

    removed: tuple[str, ...]


def up(stack: Stack, host: Host, *, resume: Journal | None = None) -> Started:
    """Starts all services and returns when they are healthy.

    Raises PreflightFailedError for a volume that is gone or foreign, and for migrations that have not run.
    """
    if resume is None:
        require_quiet(stack, host, "up")
    require(volume_checks(stack, host))
    before = containers_of(stack, host)
    with changing(stack, host, "up", resume=resume) as change:
        end_receiver(stack, host, change)
        start_data_services(stack, host, change)
        drop_slots(stack, host)
        if needs_preparing(stack, host, database_state(stack, host)):
            remedy = "Type 'invoke migrate', then 'invoke up'. Database and Redis run, web and worker were not started."
            raise PreflightFailedError("The database lacks migrations of this release", remedy=remedy)
        change.step("start", "Starting web and worker")
        host.processes.run(compose.up(stack, host.compose))
        wait_until_healthy(stack, host, stack.services)
    # A changed setting replaces containers of a stack that was well.
    same = {each.id for each in before} == {each.id for each in containers_of(stack, host)}
    already = same and len(before) == len(stack.services) and all(each.well for each in before)
    return Started(stack.settings["FRONTEND_URL"], already)


def down(
    stack: Stack, host: Host, *, volumes: bool = False, yes: bool = False, resume: Journal | None = None
) -> TakenDown:
    """Removes the containers; with `volumes` the data too, once the operator has seen what would be lost.

    Raises ConfirmationMissingError when the loss was not confirmed.
    """
    if volumes and not yes and resume is None:
        _confirm_loss(stack, host)
    options = {"volumes": volumes}
    with changing(stack, host, "down", options, resume=resume) as change:
        change.step("down", "Taking the stack down", **options)
        host.processes.run(compose.down(stack, host.compose))
        if not volumes:
            return TakenDown(())
        change.step("forget-instance", "Forgetting the installation in .env")
        forgotten = with_values(read_env_file(stack.env_file).text, {"CHATWOOT_INSTANCE_ID": ""})
        write_env_file(stack.env_file, forgotten)
        change.step("remove-volumes", "Removing the volumes")
        host.processes.run(docker.remove_volumes(*stack.volumes.values()))
    return TakenDown(tuple(stack.volumes.values()))


def intended_down(stack: Stack, host: Host, *, volumes: bool) -> Intended:
    """What taking the stack down would remove."""
    containers = tuple(f"container of {each.service}" for each in containers_of(stack, host))
    return Intended((*containers, *(loss_statement(stack, host) if volumes else ())))


def _confirm_loss(stack: Stack, host: Host) -> None:
    for line in loss_statement(stack, host):
        host.reporter.note(line)
    answer = host.reporter.confirm("Remove all of this for good?")
    if not answer:
        why = "nobody could be asked" if answer is None else "the answer was no"
        remedy = "Add --yes to confirm it on the command line. Nothing was changed."
        raise ConfirmationMissingError(f"The data was not removed: {why}", remedy=remedy)


def loss_statement(stack: Stack, host: Host) -> tuple[str, ...]:
    """What removing the volumes would destroy, a line each; says so where it cannot be counted."""
    sizes = volume_sizes(host)
    lines = [f"Volume {name}: {sizes.get(name, 'not there')}" for name in stack.volumes.values()]
    try:
        lost = ask_database(stack, host, _LOSS)
    except OpsError:
        return (
            *lines,
            "The database does not run, so what it holds could not be counted ('invoke up' first to see it).",
        )
    counted = ", ".join(f"{lost[what]} {what}" for what in ("conversations", "messages", "contacts", "files"))
    return (*lines, f"It holds {counted}; the newest message is of {lost['newest'] or 'never'}.")


def restart(stack: Stack, host: Host, service: str) -> None:
    """Restarts one service and returns when all are healthy again."""
    command = compose.compose(stack, host.compose, "restart", service, purpose=f"Restarting {service}", timeout=240)
    host.processes.run(command)
    wait_until_healthy(stack, host, stack.services)
