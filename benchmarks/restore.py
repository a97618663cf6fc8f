"""How long our restore takes against a bare initdb and pg_restore with the same limits, settings and options.

Ours does more: it proves the new cluster row by row against the manifest, swaps it in, and asks the running stack.
"""

from __future__ import annotations

from pathlib import Path

import bare
import own
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from figures import counted, load
from filled import SIZES, described, filled_stack
from restore_figures import compared, conclusion, rows
from result import Result
from sized import Raw

PAIRS = {"80 MB": 3, "1 GB": 2}
GOAL = 1.10


def _dump(stack: Stack) -> Path:
    """The newest set's dump, made now where there is none."""
    if not store_of(stack).sets():
        own.run("backup", stack)
    return Path(store_of(stack).find("latest").path).resolve() / DATABASE_ARTIFACT


def _pairs(size: str) -> Raw:
    stack = filled_stack(SIZES[size])
    dump = _dump(stack)
    # Minutes each: the first pair counts.
    return compared(stack, size, lambda: bare.restore(stack, dump), PAIRS[size], warm=0)


def measure() -> Result:
    """Seconds, ratios, seconds away and memory at two sizes."""
    before, raw = load(), {key: figures for size in SIZES for key, figures in _pairs(size).items()}
    return Result(
        name="restore",
        title="Restore against bare `initdb` and `pg_restore`",
        method=(
            f"{described()}\n"
            f"{counted(PAIRS)}, interleaved.\n"
            "Ours is `restore` of the newest set, called in a fresh Python, onto the running stack. Up to the proved\n"
            "cluster: `initdb`, load, owners, `ANALYZE`, digest of every table, stop; the whole adds the set's\n"
            "checksums, the stored files, the swap, health and the smoke check. Bare is `docker run` of the same\n"
            "image, limits and server settings on an empty volume, `pg_restore` with the same options and jobs,\n"
            "`docker stop`.\n"
            f"The machine was shared: its load was {before} when it began and {load()} when it ended."
        ),
        columns=("What", "Median", "First quartile", "Third quartile"),
        rows=tuple(row for size in SIZES for row in rows(raw, size, "`initdb` and `pg_restore`")),
        conclusion=conclusion(raw, GOAL),
        raw=raw,
    )
