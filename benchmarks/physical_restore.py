"""How long our physical restore takes against a bare unpack, sync, start and stop with the same limits and settings.

Ours does more: it holds every file against the backup manifest, proves the cluster, swaps it in, and asks the stack.
"""

from __future__ import annotations

from pathlib import Path

import bare_physical
import own
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from figures import counted, load
from filled import SIZES, described, filled_stack
from restore_figures import compared, conclusion, rows
from result import Result
from sized import Raw

PAIRS = {"80 MB": 5, "1 GB": 5}
GOAL = 1.15


def _archive(stack: Stack) -> Path:
    """The newest set's archive, made now where the newest set is none of this kind."""
    sets = store_of(stack).sets()
    if not (sets and sets[-1].manifest.physical):
        own.run("physical", stack)
    newest = store_of(stack).find("latest")
    return Path(newest.path).resolve() / newest.manifest.database_artifact


def _pairs(size: str) -> Raw:
    stack = filled_stack(SIZES[size])
    archive, method = _archive(stack), bare_physical.compression(stack)
    return compared(stack, size, lambda: bare_physical.restore(stack, archive, method), PAIRS[size])


def measure() -> Result:
    """Seconds, ratios, seconds away and memory at two sizes."""
    before, raw = load(), {key: figures for size in SIZES for key, figures in _pairs(size).items()}
    return Result(
        name="physical_restore",
        title="Physical restore against bare unpack, sync and start",
        method=(
            f"{described()}\n"
            f"{counted(PAIRS)}, interleaved, after one pair that is not counted.\n"
            "Ours is `restore` of a physical set, called in a fresh Python, onto the running stack. Up to the proved\n"
            "cluster: unpack, `pg_verifybackup`, recovery, what the database holds, stop; the whole adds the set's\n"
            "checksums, the stored files, the swap, health and the smoke check. Bare is `tar` of the same image and\n"
            "limits into an empty volume, `sync`, a server with the same settings until it answers, `docker stop`.\n"
            f"The machine was shared: its load was {before} when it began and {load()} when it ended."
        ),
        columns=("What", "Median", "First quartile", "Third quartile"),
        rows=tuple(row for size in SIZES for row in rows(raw, size, "unpack, sync, start and stop")),
        conclusion=conclusion(raw, GOAL),
        raw=raw,
    )
