"""How long our backup takes against a bare pg_dump with the same options, and whether memory grows with the data.

Ours does more: it digests every table in the same snapshot, reads the storage volume, seals settings, writes a
manifest.
"""

from __future__ import annotations

import shutil
from statistics import median

import bare
import own
from chatwoot_ops.model.stack import Stack
from figures import counted, load, ratios, rounded, side_by_side, spread, verdict
from filled import SIZES, described, filled_stack
from result import Result

PAIRS = {"80 MB": 7, "1 GB": 5}
GOAL = 1.10
Raw = dict[str, list[float]]


def _own(stack: Stack) -> dict[str, float]:
    # The set stays until the next one: a restore that is measured later wants the newest.
    shutil.rmtree(stack.backup_folder, ignore_errors=True)
    return own.run("backup", stack)


def _pairs(size: str) -> Raw:
    stack = filled_stack(SIZES[size])
    method = bare.compression(stack)
    pairs = side_by_side(lambda: _own(stack), lambda: bare.back_up(stack, method), PAIRS[size])
    return {
        f"ours seconds, {size}": rounded(one["seconds"] for one, _ in pairs),
        f"bare seconds, {size}": rounded(other["seconds"] for _, other in pairs),
        f"ours MB, {size}": rounded(one["bytes"] / 1e6 for one, _ in pairs),
        f"bare MB, {size}": rounded(other["bytes"] / 1e6 for _, other in pairs),
        f"ours MiB of memory, {size}": rounded(one["memory"] for one, _ in pairs),
    }


def _ratios(raw: Raw, size: str) -> list[float]:
    return ratios(raw[f"ours seconds, {size}"], raw[f"bare seconds, {size}"])


def _rows(raw: Raw, size: str) -> tuple[tuple[str, ...], ...]:
    return (
        spread(f"{size}: ours, s", raw[f"ours seconds, {size}"], 2),
        spread(f"{size}: bare `pg_dump`, s", raw[f"bare seconds, {size}"], 2),
        spread(f"{size}: ratio of each pair", _ratios(raw, size), 2),
        spread(f"{size}: whole set, MB", raw[f"ours MB, {size}"], 1),
        spread(f"{size}: bare dump, MB", raw[f"bare MB, {size}"], 1),
        spread(f"{size}: peak memory of our process, MiB", raw[f"ours MiB of memory, {size}"], 1),
    )


def _conclusion(raw: Raw) -> str:
    small, large = SIZES
    less, more = (median(raw[f"ours MiB of memory, {size}"]) for size in (small, large))
    return (
        f"The goal is a ratio of at most {GOAL:.2f} at {large}: {verdict(median(_ratios(raw, large)), GOAL)}; "
        f"at {small} it is {median(_ratios(raw, small)):.2f}.\n"
        f"Memory: {less:.1f} MiB at {small}, {more:.1f} MiB at {large}."
    )


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
        conclusion=_conclusion(raw),
        raw=raw,
    )
