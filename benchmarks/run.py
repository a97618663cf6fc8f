"""Runs the benchmarks that are named, or all: prints each table, keeps its data, and makes the page anew."""

from __future__ import annotations

import importlib
import sys

from page import write_page
from result import Result

# Each is a module of this folder with `measure() -> Result`.
BENCHMARKS = ("list", "backup", "restore", "physical_backup", "physical_restore")


def show(result: Result) -> str:
    """The figures as columns of text."""
    lines = (result.columns, *result.rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    cells = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in lines)
    return "\n".join((result.title, *(line.rstrip() for line in cells), result.conclusion))


def main(names: list[str]) -> int:
    """Exit code 0 when each that was asked for has been measured."""
    unknown = sorted(set(names) - set(BENCHMARKS))
    if unknown:
        print(f"No such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 1
    for name in names or BENCHMARKS:
        result: Result = importlib.import_module(name).measure()
        print(show(result))
        result.write()
    write_page()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
