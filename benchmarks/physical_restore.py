"""How long our physical restore takes against a bare unpack, sync, start and stop with the same limits and settings.

Ours does more: it holds every file against the backup manifest, proves the cluster, swaps it in, and asks the stack.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import bare_physical
import own
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from figures import counted, load, ratios, rounded, side_by_side, spread, verdict
from filled import SIZES, described, filled_stack
from result import Result

PAIRS = {"80 MB": 5, "1 GB": 5}
GOAL = 1.15
Raw = dict[str, list[float]]


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
    pairs = side_by_side(
        lambda: own.run("restore", stack), lambda: bare_physical.restore(stack, archive, method), PAIRS[size]
    )
    return {
        f"staging seconds, {size}": rounded(one["staging"] for one, _ in pairs),
        f"whole seconds, {size}": rounded(one["seconds"] for one, _ in pairs),
        f"bare seconds, {size}": rounded(other["seconds"] for _, other in pairs),
        f"away seconds, {size}": rounded(one["away"] for one, _ in pairs),
        f"ours MiB of memory, {size}": rounded(one["memory"] for one, _ in pairs),
    }


def _ratios(raw: Raw, part: str, size: str) -> list[float]:
    return ratios(raw[f"{part} seconds, {size}"], raw[f"bare seconds, {size}"])


def _rows(raw: Raw, size: str) -> tuple[tuple[str, ...], ...]:
    return (
        spread(f"{size}: ours up to the proved cluster, s", raw[f"staging seconds, {size}"], 1),
        spread(f"{size}: ours, whole, s", raw[f"whole seconds, {size}"], 1),
        spread(f"{size}: bare unpack, sync, start and stop, s", raw[f"bare seconds, {size}"], 1),
        spread(f"{size}: proved cluster, ratio of each pair", _ratios(raw, "staging", size), 2),
        spread(f"{size}: whole, ratio of each pair", _ratios(raw, "whole", size), 2),
        spread(f"{size}: database away, s", raw[f"away seconds, {size}"], 1),
        spread(f"{size}: peak memory of our process, MiB", raw[f"ours MiB of memory, {size}"], 1),
    )


def _conclusion(raw: Raw) -> str:
    small, large = SIZES
    less, more = (median(raw[f"ours MiB of memory, {size}"]) for size in (small, large))
    staging, whole = (median(_ratios(raw, part, large)) for part in ("staging", "whole"))
    return (
        f"The goal is a ratio of at most {GOAL:.2f} at {large}: up to the proved cluster {verdict(staging, GOAL)}, "
        f"as a whole {verdict(whole, GOAL)}.\nMemory: {less:.1f} MiB at {small}, {more:.1f} MiB at {large}."
    )


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
        rows=tuple(row for size in SIZES for row in _rows(raw, size)),
        conclusion=_conclusion(raw),
        raw=raw,
    )
