"""Tasks that hand the terminal over or pass text through: logs, the Rails console, psql."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import chatwoot, compose, database
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import Stack


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which log lines: of one service or all (""), how many of the last, and whether to go on."""

    service: str
    tail: int
    follow: bool


def logs(stack: Stack, host: Host, wanted: Wanted, each_line: Callable[[str], None]) -> None:
    """Hands over the services' log lines with every known secret masked.

    Raises CommandFailedError for a service that does not exist.
    """
    if wanted.service and wanted.service not in stack.services:
        raise CommandFailedError(
            f"There is no service '{wanted.service}'", remedy=f"The services are {', '.join(stack.services)}."
        )
    services = (wanted.service,) if wanted.service else ()
    code = host.processes.stream(
        compose.logs(stack, host.compose, *services, tail=wanted.tail, follow=wanted.follow), each_line
    )
    if code != 0:
        raise CommandFailedError(f"Failed while reading the logs: docker-compose exited with {code}")


def rails_console(stack: Stack, host: Host) -> None:
    """Opens a Rails console in the running web container and returns when the operator leaves it."""
    _hand_over(host, chatwoot.console(stack, host.compose))


def psql(stack: Stack, host: Host, *, superuser: bool) -> None:
    """Opens psql in the running database container and returns when the operator leaves it."""
    _hand_over(host, database.shell(stack, host.compose, superuser=superuser))


def _hand_over(host: Host, command: Command) -> None:
    finished = host.processes.try_run(command)
    if finished.code != 0:
        raise CommandFailedError(
            f"{command.purpose} ended with {finished.code}",
            remedy="Type 'invoke status' to see whether it runs.",
        )
