"""Runs the benchmarks that are named, or all: prints each table, keeps its data, and makes the page anew.

Long ones can be run in pieces: `--size` measures one size and leaves the figures of the others, `--rounds` says how
many rounds, `--add` adds them to those that are kept. `--told` measures nothing and tells the kept figures anew.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable
from dataclasses import replace

from filled import SIZES
from page import table, write_page
from result import Raw, Result, read_results
from sized import Asked

# Each is a module of this folder with `measure(Asked) -> Result` and `told(Raw) -> Result`.
BENCHMARKS = ("list", "backup", "restore", "physical_backup", "physical_restore", "continuous")


def show(result: Result) -> str:
    """The figures as text."""
    return "\n".join(
        (result.title, table(result.columns, result.rows), *map(" | ".join, result.bars), result.conclusion)
    )


def _parsed(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which of {', '.join(BENCHMARKS)} (else all)")
    parser.add_argument("--size", action="append", choices=tuple(SIZES), help="only this size; may be given again")
    parser.add_argument("--rounds", type=int, default=0, help="how many rounds (else the benchmark's own number)")
    parser.add_argument("--add", action="store_true", help="add to the figures that are kept of these sizes")
    parser.add_argument("--told", action="store_true", help="measure nothing; tell the kept figures anew")
    given = parser.parse_args(argv)
    if unknown := sorted(set(given.names) - set(BENCHMARKS)):
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return given


def told_anew(name: str, told: Callable[[Raw], Result]) -> Result:
    """A kept result in today's words, with the day and the machine it was measured on."""
    kept = next(each for each in read_results() if each.name == name)
    return replace(told(kept.raw), date=kept.date, machine=kept.machine)


def main(argv: list[str]) -> int:
    """Exit code 0 when each that was asked for has been measured."""
    given = _parsed(argv)
    asked = Asked(tuple(given.size or SIZES), given.rounds, given.add)
    for name in given.names or BENCHMARKS:
        module = importlib.import_module(name)
        result: Result = told_anew(name, module.told) if given.told else module.measure(asked)
        print(show(result))
        result.write()
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
