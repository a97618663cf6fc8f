"""How long our logical restore takes against pg_restore and psql by hand, and what customers notice of it.

Ours does more: it proves the new cluster row by row against the manifest, swaps it in, and asks the running stack.
"""

from __future__ import annotations

from pathlib import Path

import bare
import ours
import own
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from figures import interleaved
from filled import SIZES, described, filled_stack
from ours import AWAY, DATABASE, FAILED, RESTORED, SLOWEST, STAGING, USABLE, WHOLE, kept, probed_run, rounded, seconds
from prober import probed
from result import Bar, Raw, Result
from sized import LARGEST, Asked, against, at, gathered, growth, memory, most, plain, relative, rounds_told, steps

ROUNDS = {"80 MB": 3, "300 MB": 3, "1 GB": 5}
BARE, PSQL = "bare seconds", "psql seconds"
COLUMNS = {
    **ours.COLUMNS,
    BARE: ("bare `pg_restore -j2`, same settings, s", 1),
    PSQL: ("`gunzip \\| psql`, s", 1),
}
RESTORE, PLAIN, EARLY, FAILING = 1.10, 0.90, 0.25, 2


def measure(asked: Asked) -> Result:
    """Seconds, what customers noticed, memory and steps at each size that is asked for, told with those known."""
    return told(gathered("restore", asked, lambda size: _measured(size, asked.rounds or ROUNDS[size])))


def _dump(stack: Stack) -> Path:
    """The newest set's dump, made now where the newest set is none of this kind."""
    sets = store_of(stack).sets()
    if not sets or sets[-1].manifest.physical:
        own.run("backup", stack)
    return Path(store_of(stack).find("latest").path).resolve() / DATABASE_ARTIFACT


def _measured(size: str, rounds: int) -> Raw:
    stack = filled_stack(size)
    dump, plain_dump = _dump(stack), bare.plain_dump(stack)
    runs = {
        "ours": lambda: probed_run("restore", stack),
        BARE: probed(stack, lambda: bare.restore_dump(stack, dump)),
        PSQL: probed(stack, lambda: bare.restore_plain(stack, plain_dump)),
    }
    # Minutes each: the first round counts.
    made = interleaved(runs, rounds)
    return {
        **kept(made["ours"], RESTORED),
        BARE: seconds(made[BARE]),
        PSQL: seconds(made[PSQL]),
        DATABASE: rounded((bare.megabytes_of_database(stack),)),
    }


def _bars(raw: Raw) -> tuple[Bar, ...]:
    ready = "Logical restore, up to the proved cluster, against"
    return (
        most(f"{ready} bare `pg_restore -j2`, same settings", RESTORE, against(raw, STAGING, BARE, LARGEST)),
        most(f"{ready} `gunzip \\| psql`", PLAIN, against(raw, STAGING, PSQL, LARGEST)),
        most(
            "Logical restore, until it is usable, against `gunzip \\| psql`", EARLY, against(raw, USABLE, PSQL, LARGEST)
        ),
        most("Failed requests during a logical restore", FAILING, at(raw, FAILED, LARGEST)),
    )


def _rows(raw: Raw) -> tuple[tuple[str, ...], ...]:
    return (
        *plain(raw, COLUMNS, DATABASE, STAGING, USABLE, WHOLE, BARE, PSQL),
        relative(raw, "up to the proved cluster against `pg_restore`", STAGING, BARE),
        relative(raw, "up to the proved cluster against `psql`", STAGING, PSQL),
        relative(raw, "usable against `psql`", USABLE, PSQL),
        relative(raw, "whole against `psql`", WHOLE, PSQL),
        *plain(raw, COLUMNS, AWAY, FAILED, SLOWEST),
        *steps(raw),
    )


def told(raw: Raw) -> Result:
    """The page's part, from the figures alone."""
    return Result(
        name="restore",
        title="Logical restore against bare `pg_restore` and `gunzip | psql`",
        method=(
            f"{described()}\n"
            "Ours is `restore` of the newest set, called in a fresh Python, onto the running stack. Up to the proved\n"
            "cluster: `initdb`, load, owners, `ANALYZE`, digest of every table, stop; the whole adds the set's\n"
            "checksums, the stored files, the swap, health and the smoke check. Usable is when the first page came\n"
            "that was answered from the new data, by a prober that asks ten times a second throughout, bare runs too.\n"
            "Bare is `docker run` of the same image and limits on an empty volume: with our server settings and\n"
            "`pg_restore` with the same options and jobs, or with the server's own settings and `gunzip | psql`;\n"
            "then `docker stop`.\n"
            f"{rounds_told(raw, WHOLE)}"
        ),
        columns=("What: median (quartiles)", *SIZES),
        rows=_rows(raw),
        conclusion=f"{growth(raw, STAGING, 'Our restore, up to the proved cluster')}\n{memory(raw)}",
        raw=raw,
        bars=_bars(raw),
    )
