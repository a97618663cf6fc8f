"""How long our logical backup and its verification take against pg_dump by hand, and how that grows with the data.

Ours does more: it digests every table in the same snapshot, reads the storage volume, writes a manifest.
"""

from __future__ import annotations

import shutil
from statistics import median

import bare
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
INSIDE, BESIDE, FILE, FOLDER = (
    "bare inside seconds",
    "bare beside seconds",
    "bare file seconds",
    "bare folder seconds",
)
BARE = {
    INSIDE: "`pg_dump -Fc` in the database's container, s",
    BESIDE: "`pg_dump -Fc` in a container of its own, s",
    FILE: "`pg_dump -Fc -f` into a mounted folder, s",
    FOLDER: "`pg_dump -Fd -j2 -f` into a mounted folder, s",
}
OURS, GZIP, VERIFY = "ours seconds", "gzip seconds", "verify seconds"
GOAL, FIXED, FASTER, AIM, BYTES, VERIFIED = 1.10, 1.0, 5.0, 8.0, 1.06, 0.30
_PARTS = {OURS: "seconds", "ours MiB of memory": "memory", "failed requests": "failed", VERIFY: "verified"}


def measure(asked: Asked) -> Result:
    """Seconds, bytes, memory and steps at each size that is asked for, told with those that are known."""
    return told(gathered("backup", asked, lambda size: _measured(size, asked.rounds or ROUNDS[size])))


def _measured(size: str, rounds: int) -> Raw:
    stack = filled_stack(size)
    made = interleaved(_runs(stack), rounds, warm=("ours", INSIDE))
    return {
        **kept(made["ours"], _PARTS),
        "ours MB": megabytes(made["ours"]),
        **{name: seconds(made[name]) for name in (*BARE, GZIP)},
        "bare MB": megabytes(made[BESIDE]),
        "gzip MB": megabytes(made[GZIP]),
        "database MB": rounded((bare.megabytes_of_database(stack),)),
    }


def _runs(stack: Stack) -> dict[str, Run]:
    method = bare.compression(stack)

    def ours() -> dict[str, float]:
        # The set stays until the next one: a restore that is measured later wants the newest.
        shutil.rmtree(stack.backup_folder, ignore_errors=True)
        figures = probed_run("backup", stack)
        return {**figures, "verified": own.run("verify", stack)["seconds"]}

    return {
        "ours": ours,
        INSIDE: probed(stack, lambda: bare.dump_inside(stack, method)),
        BESIDE: probed(stack, lambda: bare.dump_beside(stack, method)),
        FILE: probed(stack, lambda: bare.dump_to_mount(stack, method, "-Fc")),
        FOLDER: probed(stack, lambda: bare.dump_to_mount(stack, method, "-Fd", "-j2")),
        GZIP: probed(stack, lambda: bare.dump_gzip(stack)),
    }


def _best(raw: Raw, size: str) -> list[float]:
    """The seconds of the bare pg_dump that is fastest at this size."""
    return at(raw, faster(raw, BARE, size), size) if at(raw, OURS, size) else []


def _over(raw: Raw, size: str) -> list[float]:
    """What remains over the fastest bare pg_dump once the fixed second is taken off."""
    return ratios([each - FIXED for each in at(raw, OURS, size)], _best(raw, size))


def _bars(raw: Raw) -> tuple[Bar, ...]:
    smaller = ratios(at(raw, "ours MB", LARGEST), at(raw, "gzip MB", LARGEST))
    shorter = against(raw, GZIP, OURS, LARGEST)
    return (
        most("Logical backup less 1 s against the fastest bare `pg_dump` with zstd:1", GOAL, _over(raw, LARGEST)),
        least("Logical backup: `pg_dump \\| gzip` takes so many times as long", FASTER, shorter),
        least("The same, the aim", AIM, shorter),
        most("Logical set against the bytes of `pg_dump \\| gzip`", BYTES, smaller),
        most("Verification of a logical set against its backup", VERIFIED, against(raw, VERIFY, OURS, LARGEST)),
        most("Failed requests during a logical backup", 0, at(raw, "failed requests", LARGEST)),
    )


def _rows(raw: Raw) -> tuple[tuple[str, ...], ...]:
    return (
        plain(raw, "the database, MB", "database MB", 0),
        plain(raw, "ours, s", OURS, 2),
        *(plain(raw, label, name, 2) for name, label in BARE.items()),
        plain(raw, "`pg_dump \\| gzip`, s", GZIP, 2),
        line("ours against the fastest bare `pg_dump`", lambda size: ratios(at(raw, OURS, size), _best(raw, size)), 2),
        line("ours less 1 s against it", lambda size: _over(raw, size), 2),
        relative(raw, "`pg_dump \\| gzip` against ours", GZIP, OURS),
        plain(raw, "our set, MB", "ours MB", 1),
        plain(raw, "bare dump, MB", "bare MB", 1),
        plain(raw, "`pg_dump \\| gzip`, MB", "gzip MB", 1),
        plain(raw, "verification, s", VERIFY, 2),
        relative(raw, "verification against the backup", VERIFY, OURS),
        *steps(raw),
    )


def told(raw: Raw) -> Result:
    """The page's part, from the figures alone."""
    quickest = {size: BARE[faster(raw, BARE, size)] for size in SIZES if at(raw, OURS, size)}
    fastest = "; ".join(f"{size}: {label.removesuffix(', s')}" for size, label in quickest.items())
    probes = sum(median(at(raw, "failed requests", size)) for size in quickest)
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
