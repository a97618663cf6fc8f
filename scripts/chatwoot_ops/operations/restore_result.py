"""What an operator asks of a restore, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from chatwoot_ops.model.backup_set import StorageProof
from chatwoot_ops.model.cluster import LOGICAL
from chatwoot_ops.model.troubled_file import TroubledFile


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What an operator asks of a restore beside its source."""

    yes: bool = False
    adopt: bool = False
    migrate: bool = False
    identity: str = ""
    settings: str = ""
    export_newer: str = ""


@dataclass(frozen=True, slots=True)
class Restored:
    """What serves now: the source, rows and tables, the proof of the stored files, seconds, and what else to know.

    `files` are those with which something is wrong, by conversation.
    After a physical set rows and tables are 0: none was counted, the cluster's files were verified. `serving_seconds`
    is when the restored data served; what took longer was done beside it.
    """

    source: str
    tables: int
    rows: int
    storage: StorageProof
    keys: str
    seconds: float
    away_seconds: float
    notes: tuple[str, ...]
    kind: str = LOGICAL
    files: tuple[TroubledFile, ...] = ()
    serving_seconds: float = 0.0
