"""How long our physical backup takes against a bare pg_basebackup with the same options, and against tar and gzip.

Ours does more: it notes what the database holds, reads the storage volume, seals settings, writes a manifest.
"""

from __future__ import annotations

from statistics import median

import bare_physical
from backup_figures import compared, goal_line, size_rows, time_rows
from figures import counted, load, rounded, spread
from filled import SIZES, described, filled_stack
from result import Result
from sized import Raw, memory_line, memory_row

PAIRS = {"80 MB": 7, "1 GB": 5}
TARS = 2
GOAL, FASTER = 1.15, 8.0


def _pairs(size: str) -> Raw:
    stack = filled_stack(SIZES[size])
    method = bare_physical.compression(stack)
    raw = compared(stack, size, "physical", lambda: bare_physical.base_backup(stack, method), PAIRS[size])
    tars = [bare_physical.cold_tar(stack) for _ in range(TARS)]
    raw[f"tar seconds, {size}"] = rounded(each["seconds"] for each in tars)
    raw[f"tar MB, {size}"] = rounded(each["bytes"] / 1e6 for each in tars)
    return raw


def _rows(raw: Raw, size: str) -> tuple[tuple[str, ...], ...]:
    return (
        *time_rows(raw, size, "pg_basebackup"),
        spread(f"{size}: `tar` and `gzip` of the volume, s", raw[f"tar seconds, {size}"], 2),
        *size_rows(raw, size, "archive"),
        spread(f"{size}: `tar` and `gzip`, MB", raw[f"tar MB, {size}"], 1),
        memory_row(raw, size),
    )


def _conclusion(raw: Raw) -> str:
    large = tuple(SIZES)[1]
    faster = median(raw[f"tar seconds, {large}"]) / median(raw[f"ours seconds, {large}"])
    return (
        f"{goal_line(raw, GOAL)}\n"
        f"`tar` and `gzip` of the volume shall take {FASTER:.0f} times as long or more: it is {faster:.1f} times.\n"
        f"{memory_line(raw)}"
    )


def measure() -> Result:
    """Seconds, ratios, bytes and memory at two sizes."""
    before, raw = load(), {key: figures for size in SIZES for key, figures in _pairs(size).items()}
    method = bare_physical.compression(filled_stack(SIZES["1 GB"]))
    return Result(
        name="physical_backup",
        title="Physical backup against bare `pg_basebackup` and against `tar` and `gzip` of the volume",
        method=(
            f"{described()}\n"
            f"{counted(PAIRS)}, interleaved, after one pair that is not counted; then {TARS} of `tar` and `gzip`.\n"
            "Ours is `back_up` of the physical kind, called in a fresh Python: it also asks what the database holds,\n"
            "reads the storage volume and writes the manifest. Bare is `docker exec ... pg_basebackup` with the same\n"
            f"options, `--compress={method.option}` among them, to a file, then `sha256sum` and `sync`. `tar` reads\n"
            "the volume while the server runs, which gives a copy that is of no use, and packs with `gzip`.\n"
            f"The machine was shared: its load was {before} when it began and {load()} when it ended."
        ),
        columns=("What", "Median", "First quartile", "Third quartile"),
        rows=tuple(row for size in SIZES for row in _rows(raw, size)),
        conclusion=_conclusion(raw),
        raw=raw,
    )
