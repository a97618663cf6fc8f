"""How long our physical restore takes against a bare unpack, sync and start, and what customers notice of it.

Ours does more: it holds every file against the backup manifest, proves the cluster, swaps it in, and asks the stack.
"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import bare
import bare_physical
import ours
import own
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from figures import interleaved, ratios
from filled import SIZES, described, filled_stack
from ours import AWAY, DATABASE, FAILED, RESTORED, SLOWEST, STAGING, USABLE, WHOLE, kept, probed_run, rounded, seconds
from prober import probed
from result import Bar, Raw, Result, raw_of
from sized import (
    LARGEST,
    Asked,
    against,
    at,
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

ROUNDS = {"80 MB": 5, "300 MB": 5, "1 GB": 5}
BARE, STOPPED, AGAIN = "bare seconds", "bare stopped seconds", "stop and start seconds"
COLUMNS = {
    **ours.COLUMNS,
    BARE: ("bare unpack, sync and start, s", 1),
    STOPPED: ("the same and stop, s", 1),
    AGAIN: ("bare stop and start of the database, s", 1),
}
GOAL, FASTER, FAILING, SWAP = 1.15, 8.0, 2, 1.0


def measure(asked: Asked) -> Result:
    """Seconds, what customers noticed, memory and steps at each size that is asked for, told with those known."""
    return told(gathered("physical_restore", asked, lambda size: _measured(size, asked.rounds or ROUNDS[size])))


def _archive(stack: Stack) -> Path:
    """The newest set's archive, made now where the newest set is none of this kind."""
    sets = store_of(stack).sets()
    if not (sets and sets[-1].manifest.physical):
        own.run("physical", stack)
    newest = store_of(stack).find("latest")
    return Path(newest.path).resolve() / newest.manifest.database_artifact


def _measured(size: str, rounds: int) -> Raw:
    stack = filled_stack(size)
    archive, method = _archive(stack), bare_physical.compression(stack)
    runs = {
        "ours": lambda: probed_run("restore", stack),
        BARE: probed(stack, lambda: bare_physical.restore(stack, archive, method)),
        AGAIN: probed(stack, lambda: bare.stop_and_start(stack)),
    }
    made = interleaved(runs, rounds, warm=(BARE,))
    return {
        **kept(made["ours"], RESTORED),
        BARE: seconds(made[BARE]),
        STOPPED: rounded(each["stopped"] for each in made[BARE]),
        AGAIN: seconds(made[AGAIN]),
        DATABASE: rounded((bare.megabytes_of_database(stack),)),
    }


def _faster(raw: Raw, part: str, size: str, *, beside: str = "") -> list[float]:
    """By how much it is faster than the same part of the logical restore: each of our runs against the median there.

    What begins with `beside` is added there: a logical restore serves before its largest indexes are built, and ours
    has them all from the start.
    """
    there = raw_of("restore")
    added = [key for key in there if beside and key.startswith(beside) and key.endswith(f", {size}")]
    logical = [sum(figures) for figures in zip(at(there, part, size), *(there[key] for key in added), strict=True)]
    return ratios([median(logical)] * len(at(raw, part, size)), at(raw, part, size)) if logical else []


def _indexed(raw: Raw, size: str) -> list[float]:
    return _faster(raw, STAGING, size, beside="step Building ")


def _extra(raw: Raw, size: str) -> list[float]:
    """Seconds that the database is away beyond a bare stop and start."""
    return [ours - theirs for ours, theirs in zip(at(raw, AWAY, size), at(raw, AGAIN, size), strict=False)]


def _bars(raw: Raw) -> tuple[Bar, ...]:
    ready = "Physical restore, up to the proved and stopped cluster, against"
    return (
        most(f"{ready} bare unpack, sync, start and stop", GOAL, against(raw, STAGING, STOPPED, LARGEST)),
        most(f"{ready} bare unpack, sync and start", GOAL, against(raw, STAGING, BARE, LARGEST)),
        least("Physical restore against the logical, all indexes there", FASTER, _indexed(raw, LARGEST)),
        most("Failed requests during a physical restore", FAILING, at(raw, FAILED, LARGEST)),
        most("Seconds the database is away beyond a bare stop and start", SWAP, _extra(raw, LARGEST)),
    )


def _rows(raw: Raw) -> tuple[tuple[str, ...], ...]:
    return (
        *plain(raw, COLUMNS, DATABASE, STAGING, USABLE, WHOLE, BARE, STOPPED),
        relative(raw, "up to the proved cluster against bare with stop", STAGING, STOPPED),
        relative(raw, "up to the proved cluster against bare without", STAGING, BARE),
        line(
            "the logical, up to the proved cluster, takes so many times as long",
            lambda size: _faster(raw, STAGING, size),
            1,
        ),
        line("the same and its indexes", lambda size: _indexed(raw, size), 1),
        line("the same, whole", lambda size: _faster(raw, WHOLE, size), 1),
        *plain(raw, COLUMNS, AWAY, AGAIN, FAILED, SLOWEST),
        *steps(raw),
    )


def told(raw: Raw) -> Result:
    """The page's part, from the figures alone."""
    return Result(
        name="physical_restore",
        title="Physical restore against bare unpack, sync and start; time away",
        method=(
            f"{described()}\n"
            "Ours is `restore` of a physical set, called in a fresh Python, onto the running stack. Up to the proved\n"
            "cluster: unpack, `pg_verifybackup`, recovery, what the database holds, stop; the whole adds the set's\n"
            "checksums, the stored files, the swap, health and the smoke check. Bare is `tar` of the same image and\n"
            "limits into an empty volume, `sync`, a server with the same settings until it answers, `docker stop`.\n"
            "A prober asks for a page ten times a second throughout, bare runs too; the database is away from its\n"
            "stop until it answers again, beside a bare `docker stop` and `docker start` of it.\n"
            f"{rounds_told(raw, WHOLE)}"
        ),
        columns=("What: median (quartiles)", *SIZES),
        rows=_rows(raw),
        conclusion=f"{growth(raw, STAGING, 'Our restore, up to the proved cluster')}\n{memory(raw)}",
        raw=raw,
        bars=_bars(raw),
    )
