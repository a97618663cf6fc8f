"""How long our physical backup takes against a bare pg_basebackup with the same options, and against tar and gzip.

Ours does more: it notes what the database holds, reads the storage volume, seals settings, writes a manifest.
"""

from __future__ import annotations

import shutil

import bare
import bare_physical
import own
from chatwoot_ops.model.stack import Stack
from figures import Run, interleaved, ratios
from filled import SIZES, described, filled_stack
from ours import kept, megabytes, probed_run, rounded, seconds
from prober import probed
from result import Bar, Raw, Result
from sized import (
    LARGEST,
    Asked,
    against,
    at,
    faster,
    gathered,
    growth,
    least,
    line,
    memory,
    most,
    plain,
    relative,
    rounds_told,
    steps,
)

ROUNDS = {"80 MB": 7, "300 MB": 5, "1 GB": 5}
OURS, INSIDE, BESIDE, TAR, VERIFY = (
    "ours seconds",
    "bare inside seconds",
    "bare beside seconds",
    "tar seconds",
    "verify seconds",
)
BARE = (INSIDE, BESIDE)
GOAL, FASTER = 1.15, 8.0
_PARTS = {OURS: "seconds", "ours MiB of memory": "memory", "failed requests": "failed", VERIFY: "verified"}


def measure(asked: Asked) -> Result:
    """Seconds, bytes, memory and steps at each size that is asked for, told with those that are known."""
    return told(gathered("physical_backup", asked, lambda size: _measured(size, asked.rounds or ROUNDS[size])))


def _runs(stack: Stack) -> dict[str, Run]:
    method = bare_physical.compression(stack)

    def ours() -> dict[str, float]:
        # The set stays until the next one: a restore that is measured later wants the newest.
        shutil.rmtree(stack.backup_folder, ignore_errors=True)
        figures = probed_run("physical", stack)
        return {**figures, "verified": own.run("verify", stack)["seconds"]}

    return {
        "ours": ours,
        INSIDE: probed(stack, lambda: bare_physical.copy_inside(stack, method)),
        BESIDE: probed(stack, lambda: bare_physical.copy_beside(stack, method)),
        TAR: probed(stack, lambda: bare_physical.cold_tar(stack)),
    }


def _measured(size: str, rounds: int) -> Raw:
    stack = filled_stack(size)
    made = interleaved(_runs(stack), rounds, warm=("ours", INSIDE))
    return {
        **kept(made["ours"], _PARTS),
        "ours MB": megabytes(made["ours"]),
        **{name: seconds(made[name]) for name in (*BARE, TAR)},
        "bare MB": megabytes(made[BESIDE]),
        "tar MB": megabytes(made[TAR]),
        "database MB": rounded((bare.megabytes_of_database(stack),)),
    }


def _best(raw: Raw, size: str) -> list[float]:
    return at(raw, faster(raw, BARE, size), size) if at(raw, OURS, size) else []


def _ratio(raw: Raw, size: str) -> list[float]:
    return ratios(at(raw, OURS, size), _best(raw, size))


def _bars(raw: Raw) -> tuple[Bar, ...]:
    return (
        most("Physical backup against the faster bare `pg_basebackup`", GOAL, _ratio(raw, LARGEST)),
        least("Physical backup: `tar` and `gzip` take so many times as long", FASTER, against(raw, TAR, OURS, LARGEST)),
        most("Verification of a physical set against its backup", 0.30, against(raw, VERIFY, OURS, LARGEST)),
        most("Failed requests during a physical backup", 0, at(raw, "failed requests", LARGEST)),
    )


def _rows(raw: Raw) -> tuple[tuple[str, ...], ...]:
    return (
        plain(raw, "the database, MB", "database MB", 0),
        plain(raw, "ours, s", OURS, 2),
        plain(raw, "`pg_basebackup` in the database's container, s", INSIDE, 2),
        plain(raw, "`pg_basebackup` in a container of its own, s", BESIDE, 2),
        plain(raw, "`tar` and `gzip` of the cluster, s", TAR, 2),
        line("ours against the faster `pg_basebackup`", lambda size: _ratio(raw, size), 2),
        relative(raw, "`tar` and `gzip` against ours", TAR, OURS),
        plain(raw, "our set, MB", "ours MB", 1),
        plain(raw, "bare archive, MB", "bare MB", 1),
        plain(raw, "`tar` and `gzip`, MB", "tar MB", 1),
        plain(raw, "verification, s", VERIFY, 2),
        relative(raw, "verification against the backup", VERIFY, OURS),
        *steps(raw),
    )


def told(raw: Raw) -> Result:
    """The page's part, from the figures alone."""
    return Result(
        name="physical_backup",
        title="Physical backup against bare `pg_basebackup` and against `tar` and `gzip` of the volume",
        method=(
            f"{described()}\n"
            "Ours is `back_up` of the physical kind, called in a fresh Python: it also asks what the database holds,\n"
            "reads the storage volume and writes the manifest. Bare is `pg_basebackup` with the same options,\n"
            "`--compress=client-zstd:level=1,workers=2` among them, to a file, then `sha256sum` and `sync`; in the\n"
            "database's container, or in one of its own, as ours; all three through Docker's standard output. `tar`\n"
            "reads the cluster while the server runs, which gives a copy that is of no use, and packs with `gzip`.\n"
            "A prober asks for a page ten times a second throughout, bare runs too.\n"
            f"{rounds_told(raw, OURS)}"
        ),
        columns=("What: median (quartiles)", *SIZES),
        rows=_rows(raw),
        conclusion=f"{growth(raw, OURS, 'Our backup')}\n{memory(raw)}",
        raw=raw,
        bars=_bars(raw),
    )
