"""How long our physical backup takes against a bare pg_basebackup with the same options, and against tar and gzip.

Ours does more: it notes what the database holds, reads the storage volume, seals settings, writes a manifest.
"""

from __future__ import annotations

import shutil
from statistics import median

import bare_physical
import own
from chatwoot_ops.model.stack import Stack
from figures import counted, load, ratios, rounded, side_by_side, spread, verdict
from filled import SIZES, described, filled_stack
from result import Result

PAIRS = {"80 MB": 7, "1 GB": 5}
TARS = 2
GOAL, FASTER = 1.15, 8.0
Raw = dict[str, list[float]]


def _own(stack: Stack) -> dict[str, float]:
    # The set stays until the next one: a restore that is measured later wants the newest.
    shutil.rmtree(stack.backup_folder, ignore_errors=True)
    return own.run("physical", stack)


def _pairs(size: str) -> Raw:
    stack = filled_stack(SIZES[size])
    method = bare_physical.compression(stack)
    pairs = side_by_side(lambda: _own(stack), lambda: bare_physical.base_backup(stack, method), PAIRS[size])
    tars = [bare_physical.cold_tar(stack) for _ in range(TARS)]
    return {
        f"ours seconds, {size}": rounded(one["seconds"] for one, _ in pairs),
        f"bare seconds, {size}": rounded(other["seconds"] for _, other in pairs),
        f"tar seconds, {size}": rounded(each["seconds"] for each in tars),
        f"ours MB, {size}": rounded(one["bytes"] / 1e6 for one, _ in pairs),
        f"bare MB, {size}": rounded(other["bytes"] / 1e6 for _, other in pairs),
        f"tar MB, {size}": rounded(each["bytes"] / 1e6 for each in tars),
        f"ours MiB of memory, {size}": rounded(one["memory"] for one, _ in pairs),
    }


def _ratios(raw: Raw, size: str) -> list[float]:
    return ratios(raw[f"ours seconds, {size}"], raw[f"bare seconds, {size}"])


def _rows(raw: Raw, size: str) -> tuple[tuple[str, ...], ...]:
    return (
        spread(f"{size}: ours, s", raw[f"ours seconds, {size}"], 2),
        spread(f"{size}: bare `pg_basebackup`, s", raw[f"bare seconds, {size}"], 2),
        spread(f"{size}: ratio of each pair", _ratios(raw, size), 2),
        spread(f"{size}: `tar` and `gzip` of the volume, s", raw[f"tar seconds, {size}"], 2),
        spread(f"{size}: whole set, MB", raw[f"ours MB, {size}"], 1),
        spread(f"{size}: bare archive, MB", raw[f"bare MB, {size}"], 1),
        spread(f"{size}: `tar` and `gzip`, MB", raw[f"tar MB, {size}"], 1),
        spread(f"{size}: peak memory of our process, MiB", raw[f"ours MiB of memory, {size}"], 1),
    )


def _conclusion(raw: Raw) -> str:
    small, large = SIZES
    less, more = (median(raw[f"ours MiB of memory, {size}"]) for size in (small, large))
    faster = median(raw[f"tar seconds, {large}"]) / median(raw[f"ours seconds, {large}"])
    return (
        f"The goal is a ratio of at most {GOAL:.2f} at {large}: {verdict(median(_ratios(raw, large)), GOAL)}; "
        f"at {small} it is {median(_ratios(raw, small)):.2f}.\n"
        f"`tar` and `gzip` of the volume shall take {FASTER:.0f} times as long or more: it is {faster:.1f} times.\n"
        f"Memory: {less:.1f} MiB at {small}, {more:.1f} MiB at {large}."
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
