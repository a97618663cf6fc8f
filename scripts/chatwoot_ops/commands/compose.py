"""Docker Compose, for one stack."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import Stack

OPERATION_LABEL = "chatwoot-ops.operation"
_QUIET = ("--ansi", "never", "--progress", "quiet")


def compose(
    stack: Stack,
    program: Path,
    *verb: str,
    purpose: str,
    timeout: float = 120.0,
    stdin: str | None = None,
    interactive: bool = False,
) -> Command:
    """A Compose call for this stack: its project, its files, its settings, and none of the shell's variables."""
    files = tuple(part for file in stack.compose_files for part in ("-f", str(file)))
    options = (*_QUIET, "-p", stack.project, "--env-file", str(stack.env_file), *files)
    return Command(
        (str(program), *options, *verb),
        purpose,
        environment={"CHATWOOT_ENV_FILE": str(stack.env_file), **stack.overrides},
        without=frozenset(item.key for item in stack.settings.schema),
        timeout=timeout,
        stdin=stdin,
        interactive=interactive,
    )


def up(stack: Stack, program: Path, *services: str, timeout: float = 600.0) -> Command:
    """Creates and starts services; waits only for what they depend on."""
    return compose(stack, program, "up", "-d", *services, purpose=f"Starting {_named(services)}", timeout=timeout)


def up_alone(stack: Stack, program: Path, *services: str) -> Command:
    """The same without what they depend on: it must answer already, whatever its health check says yet."""
    verb = ("up", "-d", "--no-deps", *services)
    return compose(stack, program, *verb, purpose=f"Starting {_named(services)}", timeout=600)


def stop(stack: Stack, program: Path, *services: str) -> Command:
    """Stops services within their grace periods and keeps their containers."""
    return compose(stack, program, "stop", *services, purpose=f"Stopping {_named(services)}", timeout=240)


def down(stack: Stack, program: Path, *, volumes: bool = False) -> Command:
    """Removes containers and the stack's own network; with `volumes` the three volumes too."""
    flags = ("--volumes",) if volumes else ()
    return compose(stack, program, "down", "--remove-orphans", *flags, purpose="Taking the stack down", timeout=300)


def ps(stack: Stack, program: Path) -> Command:
    """All containers of the stack, one JSON object a line."""
    return compose(stack, program, "ps", "-a", "--format", "json", purpose="Listing the containers")


def container(stack: Stack, program: Path, service: str) -> Command:
    """The id of a service's running container."""
    return compose(stack, program, "ps", "--quiet", service, purpose=f"Looking for the container of {service}")


def logs(stack: Stack, program: Path, *services: str, tail: int = 100, follow: bool = False) -> Command:
    """The last lines of the services' logs, with container time."""
    flags = ("--follow",) if follow else ()
    verb = ("logs", "--no-color", "--timestamps", "--tail", str(tail), *flags, *services)
    return compose(stack, program, *verb, purpose="Reading the logs")


def execute(
    stack: Stack,
    program: Path,
    service: str,
    *argv: str,
    purpose: str,
    stdin: str | None = None,
    timeout: float = 60.0,
) -> Command:
    """A command inside a running service's container, without a terminal."""
    return compose(stack, program, "exec", "-T", service, *argv, purpose=purpose, stdin=stdin, timeout=timeout)


def interact(stack: Stack, program: Path, service: str, *argv: str, purpose: str) -> Command:
    """A command inside a running service's container, with the operator's terminal."""
    return compose(stack, program, "exec", service, *argv, purpose=purpose, interactive=True)


def run_once(
    stack: Stack,
    program: Path,
    service: str,
    *argv: str,
    purpose: str,
    operation: str,
    environment: Mapping[str, str] | None = None,
    timeout: float = 3600.0,
) -> Command:
    """A one-off container of a service, labelled with the operation so that recovery finds it."""
    variables = tuple(part for key, value in (environment or {}).items() for part in ("-e", f"{key}={value}"))
    verb = (
        "run",
        "--rm",
        "-T",
        "--no-deps",
        "--label",
        f"{OPERATION_LABEL}={operation}",
        *variables,
        service,
        *argv,
    )
    return compose(stack, program, *verb, purpose=purpose, timeout=timeout)


def _named(services: tuple[str, ...]) -> str:
    return ", ".join(services) if services else "all services"
