"""How long our physical backup takes against a bare pg_basebackup with the same options, and against tar and gzip.

Ours does more: it notes what the database holds, reads the storage volume, seals settings, writes a manifest.
"""

from __future__ import annotations

import bare
import bare_physical
import ours
from chatwoot_ops.model.stack import Stack
from figures import Run, interleaved, ratios
from filled import SIZES, described, filled_stack
from ours import BACKED_UP, DATABASE, FAILED, OURS, SET, VERIFY, backup_run, kept, megabytes, rounded, seconds
from prober import probed
from result import Bar, Raw, Result
from sized import (
    LARGEST,
    Asked,
    against,
    at,
    fastest,
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
INSIDE, BESIDE, TAR = "bare inside seconds", "bare beside seconds", "tar seconds"
BARE = (INSIDE, BESIDE)
BARE_SIZE, TAR_SIZE = "bare MB", "tar MB"
COLUMNS = {
    **ours.COLUMNS,
    INSIDE: ("`pg_basebackup` in the database's container, s", 2),
    BESIDE: ("`pg_basebackup` in a container of its own, s", 2),
    TAR: ("`tar` and `gzip` of the cluster, s", 2),
    BARE_SIZE: ("bare archive, MB", 1),
    TAR_SIZE: ("`tar` and `gzip`, MB", 1),
}
GOAL, FASTER = 1.15, 8.0


def measure(asked: Asked) -> Result:
    """Seconds, bytes, memory and steps at each size that is asked for, told with those that are known."""
    return told(gathered("physical_backup", asked, lambda size: _measured(size, asked.rounds or ROUNDS[size])))


def _runs(stack: Stack) -> dict[str, Run]:
    method = bare_physical.compression(stack)

    return {
        "ours": lambda: backup_run("physical", stack),
        INSIDE: probed(stack, lambda: bare_physical.copy_inside(stack, method)),
        BESIDE: probed(stack, lambda: bare_physical.copy_beside(stack, method)),
        TAR: probed(stack, lambda: bare_physical.cold_tar(stack)),
    }


def _measured(size: str, rounds: int) -> Raw:
    stack = filled_stack(size)
    made = interleaved(_runs(stack), rounds, warm=("ours", INSIDE))
    return {
        **kept(made["ours"], BACKED_UP),
        SET: megabytes(made["ours"]),
        **{name: seconds(made[name]) for name in (*BARE, TAR)},
        BARE_SIZE: megabytes(made[BESIDE]),
        TAR_SIZE: megabytes(made[TAR]),
        DATABASE: rounded((bare.megabytes_of_database(stack),)),
    }


def _ratio(raw: Raw, size: str) -> list[float]:
    return ratios(at(raw, OURS, size), fastest(raw, BARE, size))


def _bars(raw: Raw) -> tuple[Bar, ...]:
    return (
        most("Physical backup against the faster bare `pg_basebackup`", GOAL, _ratio(raw, LARGEST)),
        least("Physical backup: `tar` and `gzip` take so many times as long", FASTER, against(raw, TAR, OURS, LARGEST)),
        most("Verification of a physical set against its backup", 0.30, against(raw, VERIFY, OURS, LARGEST)),
        most("Failed requests during a physical backup", 0, at(raw, FAILED, LARGEST)),
    )


def _rows(raw: Raw) -> tuple[tuple[str, ...], ...]:
    return (
        *plain(raw, COLUMNS, DATABASE, OURS, *BARE, TAR),
        line("ours against the faster `pg_basebackup`", lambda size: _ratio(raw, size), 2),
        relative(raw, "`tar` and `gzip` against ours", TAR, OURS),
        *plain(raw, COLUMNS, SET, BARE_SIZE, TAR_SIZE, VERIFY),
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
