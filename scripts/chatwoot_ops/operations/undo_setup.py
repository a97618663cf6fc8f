"""Undoes a set-up that was cut off: takes away what it made, and nothing that people may have used."""

from __future__ import annotations

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, docker
from chatwoot_ops.errors import RefusedError, StackLockedError
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations.changing import changing
from chatwoot_ops.operations.containers import wait_until_healthy
from chatwoot_ops.operations.database import database_state
from chatwoot_ops.operations.opening import Place


class RefusedInUseError(RefusedError):
    """Set-up had reached the first administrator: people may use the stack already."""

    code = StackLockedError.code

    def __init__(self) -> None:
        super().__init__(
            "The stack has users already; undoing set-up would remove their data",
            remedy="Type 'invoke recover --finish'.",
        )


def undo_setup(place: Place, stack: Stack, host: Host, journal: Journal) -> None:
    """Takes away what this set-up made: containers, and volumes only where nobody can have used them yet."""
    created = [str(name) for name in journal.facts("volumes").get("created", [])]
    # Asked before the journal says that an undo began: --finish must still mean setup.
    if created and _reached_people(journal) and _has_users(stack, host):
        raise RefusedInUseError
    with changing(stack, host, "undo-setup", resume=journal) as change:
        change.step("down", "Taking the stack down")
        host.processes.run(compose.down(stack, host.compose))
        if created:
            change.step("remove-volumes", "Removing the volumes that set-up had made", names=created)
            write_env_file(
                place.env_file, with_values(read_env_file(place.env_file).text, {"CHATWOOT_INSTANCE_ID": ""})
            )
            host.processes.run(docker.remove_volumes(*created))


def _reached_people(journal: Journal) -> bool:
    # From the start of the web on, whoever reaches the port can have made an account.
    # An undo that was itself cut off had this answered, and may have stopped the database since.
    first = journal.opening.operation == "setup"
    return first and any(each.step == "start" for each in journal.steps)


def _has_users(stack: Stack, host: Host) -> bool:
    host.processes.run(compose.up(stack, host.compose, DATABASE))
    wait_until_healthy(stack, host, (DATABASE,))
    return database_state(stack, host).users > 0
