"""How long our logical backup and its verification take against pg_dump by hand, and how that grows with the data.

Ours does more: it digests every table in the same snapshot, reads the storage volume, writes a manifest.
"""

from __future__ import annotations

from statistics import median

import bare
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
    faster,
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
INSIDE, BESIDE, FILE, FOLDER, GZIP = (
    "bare inside seconds",
    "bare beside seconds",
    "bare file seconds",
    "bare folder seconds",
    "gzip seconds",
)
BARE = (INSIDE, BESIDE, FILE, FOLDER)
BARE_SIZE, GZIP_SIZE = "bare MB", "gzip MB"
COLUMNS = {
    **ours.COLUMNS,
    INSIDE: ("`pg_dump -Fc` in the database's container, s", 2),
    BESIDE: ("`pg_dump -Fc` in a container of its own, s", 2),
    FILE: ("`pg_dump -Fc -f` into a mounted folder, s", 2),
    FOLDER: ("`pg_dump -Fd -j2 -f` into a mounted folder, s", 2),
    GZIP: ("`pg_dump \\| gzip`, s", 2),
    BARE_SIZE: ("bare dump, MB", 1),
    GZIP_SIZE: ("`pg_dump \\| gzip`, MB", 1),
}
GOAL, FIXED, FASTER, AIM, BYTES, VERIFIED = 1.10, 1.0, 5.0, 8.0, 1.06, 0.30


def measure(asked: Asked) -> Result:
    """Seconds, bytes, memory and steps at each size that is asked for, told with those that are known."""
    return told(gathered("backup", asked, lambda size: _measured(size, asked.rounds or ROUNDS[size])))


def _measured(size: str, rounds: int) -> Raw:
    stack = filled_stack(size)
    made = interleaved(_runs(stack), rounds, warm=("ours", INSIDE))
    return {
        **kept(made["ours"], BACKED_UP),
        SET: megabytes(made["ours"]),
        **{name: seconds(made[name]) for name in (*BARE, GZIP)},
        BARE_SIZE: megabytes(made[BESIDE]),
        GZIP_SIZE: megabytes(made[GZIP]),
        DATABASE: rounded((bare.megabytes_of_database(stack),)),
    }


def _runs(stack: Stack) -> dict[str, Run]:
    method = bare.compression(stack)

    return {
        "ours": lambda: backup_run("backup", stack),
        INSIDE: probed(stack, lambda: bare.dump_inside(stack, method)),
        BESIDE: probed(stack, lambda: bare.dump_beside(stack, method)),
        FILE: probed(stack, lambda: bare.dump_to_mount(stack, method, "-Fc")),
        FOLDER: probed(stack, lambda: bare.dump_to_mount(stack, method, "-Fd", "-j2")),
        GZIP: probed(stack, lambda: bare.dump_gzip(stack)),
    }


def _over(raw: Raw, size: str) -> list[float]:
    """What remains over the fastest bare pg_dump once the fixed second is taken off."""
    return ratios([each - FIXED for each in at(raw, OURS, size)], fastest(raw, BARE, size))


def _bars(raw: Raw) -> tuple[Bar, ...]:
    smaller = ratios(at(raw, SET, LARGEST), at(raw, GZIP_SIZE, LARGEST))
    shorter = against(raw, GZIP, OURS, LARGEST)
    return (
        most("Logical backup less 1 s against the fastest bare `pg_dump` with zstd:1", GOAL, _over(raw, LARGEST)),
        least("Logical backup: `pg_dump \\| gzip` takes so many times as long", FASTER, shorter),
        least("The same, the aim", AIM, shorter),
        most("Logical set against the bytes of `pg_dump \\| gzip`", BYTES, smaller),
        most("Verification of a logical set against its backup", VERIFIED, against(raw, VERIFY, OURS, LARGEST)),
        most("Failed requests during a logical backup", 0, at(raw, FAILED, LARGEST)),
    )


def _rows(raw: Raw) -> tuple[tuple[str, ...], ...]:
    return (
        *plain(raw, COLUMNS, DATABASE, OURS, *BARE, GZIP),
        line(
            "ours against the fastest bare `pg_dump`",
            lambda size: ratios(at(raw, OURS, size), fastest(raw, BARE, size)),
            2,
        ),
        line("ours less 1 s against it", lambda size: _over(raw, size), 2),
        relative(raw, "`pg_dump \\| gzip` against ours", GZIP, OURS),
        *plain(raw, COLUMNS, SET, BARE_SIZE, GZIP_SIZE, VERIFY),
        relative(raw, "verification against the backup", VERIFY, OURS),
        *steps(raw),
    )


def told(raw: Raw) -> Result:
    """The page's part, from the figures alone."""
    quickest = {size: COLUMNS[faster(raw, BARE, size)][0] for size in SIZES if at(raw, OURS, size)}
    fastest = "; ".join(f"{size}: {label.removesuffix(', s')}" for size, label in quickest.items())
    probes = sum(median(at(raw, FAILED, size)) for size in quickest)
    return Result(
        name="backup",
        title="Logical backup and its verification against bare `pg_dump`",
        method=(
            f"{described()}\n"
            "Ours is `back_up`, called in a fresh Python: it also digests every table in the dump's snapshot, reads\n"
            "the storage volume and writes the manifest. Bare is `pg_dump` with zstd:1, which ours chose too, to a\n"
            "file, then `sha256sum` and `sync`; it runs in the database's container, whose processor it shares with\n"
            "the server, or in a container of its own; there through Docker's standard output, or into a mounted\n"
            "folder, as ours does. `gzip` runs outside, as guides have it.\n"
            "Verification is `verify` to the end of the archives, each set after its backup. A prober asks for a page\n"
            "ten times a second throughout, bare runs too.\n"
            f"{rounds_told(raw, OURS)}"
        ),
        columns=("What: median (quartiles)", *SIZES),
        rows=_rows(raw),
        conclusion=(
            f"The fastest bare form is, {fastest}.\n{growth(raw, OURS, 'Our backup')}\n{memory(raw)}\n"
            f"Requests that failed meanwhile: {probes:g}."
        ),
        raw=raw,
        bars=_bars(raw),
    )
