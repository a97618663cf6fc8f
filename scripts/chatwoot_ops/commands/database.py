"""psql inside the database service, as the superuser over the container's own socket: no password travels."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.commands import compose
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import DATABASE, Stack

BUILDER = "chatwoot-ops-indexes"


def query(stack: Stack, program: Path, sql: str, *, purpose: str, timeout: float = 60.0) -> Command:
    """Runs SQL from standard input; bare values on standard output; stops at the first error.

    It waits for no receiver of a synchronous archive: a look must work while that is dead, and much of this is looks.
    """
    sql = f"SET synchronous_commit = local;\n{sql}"
    argv = ("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", *where(stack))
    return compose.execute(stack, program, DATABASE, *argv, purpose=purpose, stdin=sql, timeout=timeout)


def session(stack: Stack, program: Path, *, name: str = "chatwoot-ops") -> Command:
    """A psql that is talked to line by line; the server knows it by this name, also once nobody talks."""
    psql = ("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", *where(stack))
    verb = ("exec", "-T", "-e", f"PGAPPNAME={name}", DATABASE, *psql)
    return compose.compose(stack, program, *verb, purpose="Building the indexes", timeout=60)


def shell(stack: Stack, program: Path, *, superuser: bool) -> Command:
    """An interactive psql, as Chatwoot's own role unless the superuser is asked for."""
    own = ("-U", stack.settings["POSTGRES_USERNAME"], "-d", stack.settings["POSTGRES_DATABASE"])
    options = where(stack) if superuser else own
    return compose.interact(stack, program, DATABASE, "psql", *options, purpose="Opening psql")


def sign_in(stack: Stack, program: Path) -> Command:
    """Signs in as Chatwoot does: by network, with the role and password that the container was given.

    By the service's name, because the image trusts everybody on the loopback address.
    """
    script = """PGPASSWORD="$CHATWOOT_DATABASE_PASSWORD" exec psql -X -q -w -h chatwoot-db \
        -U "$CHATWOOT_DATABASE_ROLE" -d "$CHATWOOT_DATABASE" -c 'SELECT 1'"""
    return compose.execute(stack, program, DATABASE, "sh", "-c", script, purpose="Signing in to the database")


def answers(stack: Stack, program: Path) -> Command:
    """Prints 1 when the server answers by TCP, which is what the service's health check asks."""
    argv = ("psql", "-X", "-q", "-t", "-A", "-h", "127.0.0.1", *where(stack), "-c", "SELECT 1")
    return compose.execute(stack, program, DATABASE, *argv, purpose="Asking whether the database answers")


def where(stack: Stack) -> tuple[str, ...]:
    """The options that name the superuser and Chatwoot's database."""
    return ("-U", stack.settings["POSTGRES_SUPERUSER"], "-d", stack.settings["POSTGRES_DATABASE"])
