"""Chatwoot's own commands, in containers of its image."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.commands import compose
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import RAILS, Stack

# Chatwoot gives each statement 14 s, migrations included; its own upgrade paths use 600 s (facts, 1.3).
MIGRATION_STATEMENT_TIMEOUT = "600s"


def prepare(stack: Stack, program: Path, *, operation: str) -> Command:
    """Makes or migrates the database in a one-off container."""
    argv = ("bundle", "exec", "rails", "db:chatwoot_prepare")
    environment = {"POSTGRES_STATEMENT_TIMEOUT": MIGRATION_STATEMENT_TIMEOUT}
    purpose = "Preparing the database"
    return compose.run_once(stack, program, RAILS, *argv, purpose=purpose, operation=operation, environment=environment)


def console(stack: Stack, program: Path) -> Command:
    """An interactive Rails console in the running web container."""
    return compose.interact(
        stack, program, RAILS, "bundle", "exec", "rails", "console", purpose="Opening the Rails console"
    )
