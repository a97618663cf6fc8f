"""How long our backup takes against a bare pg_dump with the same options, and whether memory grows with the data.

Ours does more: it digests every table in the same snapshot, reads the storage volume, seals settings, writes a
manifest.
"""

from __future__ import annotations

import bare
from backup_figures import compared, goal_line, size_rows, time_rows
from figures import counted, load
from filled import SIZES, described, filled_stack
from result import Result
from sized import Raw, memory_line, memory_row

PAIRS = {"80 MB": 7, "1 GB": 5}
GOAL = 1.10


def _pairs(size: str) -> Raw:
    stack = filled_stack(SIZES[size])
    method = bare.compression(stack)
    return compared(stack, size, "backup", lambda: bare.back_up(stack, method), PAIRS[size])


def _rows(raw: Raw, size: str) -> tuple[tuple[str, ...], ...]:
    return (*time_rows(raw, size, "pg_dump"), *size_rows(raw, size, "dump"), memory_row(raw, size))


def measure() -> Result:
    """Seconds, ratio, bytes and memory at two sizes."""
    before, raw = load(), {key: figures for size in SIZES for key, figures in _pairs(size).items()}
    method = bare.compression(filled_stack(SIZES["1 GB"]))
    return Result(
        name="backup",
        title="Backup against bare `pg_dump`",
        method=(
            f"{described()}\n"
            f"{counted(PAIRS)}, interleaved, after one pair that is not counted.\n"
            "Ours is `back_up`, called in a fresh Python: it also digests every table in the dump's snapshot, reads\n"
            "the storage volume and writes the manifest. Bare is `docker exec ... pg_dump -Fc` with\n"
            f"`--compress={method}`, which ours chose too, to a file, then `sha256sum` and `sync`. Same server, same\n"
            "disk. By hand `pg_dump` runs in the database's container and shares its one processor with the server;\n"
            "ours runs beside it, so that what customers wait for is not what pays for the compression.\n"
            f"The machine was shared: its load was {before} when it began and {load()} when it ended."
        ),
        columns=("What", "Median", "First quartile", "Third quartile"),
        rows=tuple(row for size in SIZES for row in _rows(raw, size)),
        conclusion=f"{goal_line(raw, GOAL)}\n{memory_line(raw)}",
        raw=raw,
    )
