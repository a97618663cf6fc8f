"""How many transactions a second pgbench makes with the archive of the WAL off, asynchronous and synchronous."""

from __future__ import annotations

import re
from collections.abc import Callable

import bare
from chatwoot_ops.model.stack import DATABASE, Stack
from figures import Figures, interleaved, spread
from filled import ARCHIVES, archiving_stack
from ours import rounded
from result import Bar, Raw, Result
from sized import Asked, against, gathered, least

ROUNDS = 7
SECONDS, CLIENTS, SCALE = 10, 8, 20
GOALS = {"async": 0.90, "sync": 0.60}
# The figures have no size of database but pgbench's own.
_SIZE = f"scale {SCALE}"
_TPS = re.compile(r"tps = ([\d.]+)")
_DATABASE = "bench"
_THERE = "SELECT 1 FROM pg_database WHERE datname = 'bench'"


def measure(asked: Asked) -> Result:
    """Transactions a second in each mode."""
    one = Asked((_SIZE,), asked.rounds, asked.add)
    return told(gathered("continuous", one, lambda _: _measured(asked.rounds or ROUNDS)))


def _measured(rounds: int) -> Raw:
    stacks = {archive: archiving_stack(archive) for archive in ARCHIVES}
    for stack in stacks.values():
        _filled(stack)
    runs = {archive: _transactions(stack) for archive, stack in stacks.items()}
    made = interleaved(runs, rounds, warm=ARCHIVES)
    return {f"{archive} tps": rounded(each["tps"] for each in made[archive]) for archive in ARCHIVES}


def _ask(stack: Stack, sql: str) -> str:
    superuser = stack.settings["POSTGRES_SUPERUSER"]
    return bare.docker("exec", bare.container(stack), "psql", "-XqtA", "-U", superuser, "-d", "postgres", "-c", sql)


def _pgbench(stack: Stack, *options: str) -> str:
    run = ("run", *bare.beside(stack), "--entrypoint", "pgbench", stack.images[DATABASE])
    return bare.docker(*run, *options, _DATABASE)


def _filled(stack: Stack) -> None:
    if not _ask(stack, _THERE):
        _ask(stack, f"CREATE DATABASE {_DATABASE}")
        _pgbench(stack, "--initialize", "--quiet", f"--scale={SCALE}")


def _transactions(stack: Stack) -> Callable[[], Figures]:
    def run() -> Figures:
        _ask(stack, "CHECKPOINT")
        said = _pgbench(stack, "--no-vacuum", f"--client={CLIENTS}", "--jobs=2", f"--time={SECONDS}")
        found = _TPS.search(said)
        assert found is not None, said  # noqa: S101 - pgbench says it always
        return {"tps": float(found[1])}

    return run


def told(raw: Raw) -> Result:
    """The page's part, from the figures alone."""
    figures = {archive: raw.get(f"{archive} tps, {_SIZE}", []) for archive in ARCHIVES}
    shares = {archive: against(raw, f"{archive} tps", "off tps", _SIZE) for archive in GOALS}
    bars: tuple[Bar, ...] = tuple(
        least(f"Transactions a second with WAL_ARCHIVE={archive} against off", goal, shares[archive], size=_SIZE)
        for archive, goal in GOALS.items()
    )
    loads = " ".join(f"{each:g}" for each in raw.get(f"load, {_SIZE}", []))
    return Result(
        name="continuous",
        title="What the continuous archive costs a writing database",
        method=(
            f"Three throwaway stacks on PostgreSQL 17, WAL_ARCHIVE off, async and sync; `pgbench` of {SECONDS} s with\n"
            f"{CLIENTS} clients at scale {SCALE} beside each server in turn, after a checkpoint;\n"
            f"{len(figures['off'])} rounds after one that is not counted, each other round backwards. The receiver\n"
            "writes to the same disk as the server.\n"
            f"Load of the machine (2 cores) before and after: {loads}."
        ),
        columns=("WAL_ARCHIVE", "Transactions a second", "Against off, round by round"),
        rows=tuple(
            (archive, spread(figures[archive]), spread(shares[archive], 2) if archive in shares else "1")
            for archive in ARCHIVES
        ),
        conclusion="With sync, a transaction ends when the receiver has its WAL on disk: nothing acknowledged is lost.",
        raw=raw,
        bars=bars,
    )
