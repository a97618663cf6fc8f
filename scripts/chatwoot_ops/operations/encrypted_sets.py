"""Encrypted sets, read to their end with a private key: nothing of them lies anywhere in clear meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from chatwoot_ops.adapters.age import Identity, opened
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import backup as commands
from chatwoot_ops.errors import CommandFailedError, OpsError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, ENCRYPTED, BackupSet
from chatwoot_ops.model.stack import DATABASE, Stack

DUMP = f"{DATABASE_ARTIFACT}{ENCRYPTED}"


def closed_problems(backup_set: BackupSet, identity: Identity, *, but: Collection[str] = ()) -> tuple[str, ...]:
    """Opens every encrypted artifact to its end, `but` these; a line for each that this key does not open so far."""
    return tuple(
        f"{each.name}: {problem}"
        for each in backup_set.encrypted_artifacts
        if each.name not in but and (problem := _problem(backup_set, each.name, identity))
    )


def _problem(backup_set: BackupSet, name: str, identity: Identity) -> str:
    try:
        deque(opened(Path(backup_set.path) / name, identity), maxlen=0)
    except OpsError as error:
        return error.message
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return ""


def contents_problem(stack: Stack, host: Host, backup_set: BackupSet, identity: Identity) -> str:
    """Why an encrypted dump does not open to its end, or pg_restore cannot read its contents, "" where both do.

    It is opened once: pg_restore takes what it needs, and the rest is read after it.
    """
    dump = Path(backup_set.path) / DUMP
    try:
        with closing(opened(dump, identity)) as chunks:
            host.processes.feed(commands.piped_contents(stack.images[DATABASE]), chunks)
            deque(chunks, maxlen=0)
    except OSError as error:
        return f"{dump.name}: cannot be read ({error.strerror})"
    except CommandFailedError as error:
        return f"{dump.name}: {' '.join(error.details)[-200:] or error.message}"
    except OpsError as error:
        return f"{dump.name}: {error.message}"
    return ""
