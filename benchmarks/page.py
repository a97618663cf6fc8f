"""docs/reference/benchmarks.md, made from the committed results and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from result import Result, read_results

PAGE = Path(__file__).resolve().parent.parent / "docs/reference/benchmarks.md"
_HEAD = """# Benchmarks

Made from `benchmarks/results/` by `nox -s bench`; do not edit.
One benchmark: `nox -s bench -- NAME`; in pieces: `nox -s bench -- NAME --size "1 GB" --rounds 2 --add`.
The figures hold for the machine that is named with them, and for nothing else.
Every ratio is of two runs of the same round, one after the other; a figure is the median of its rounds.

## Bars

"""
_BARS = ("Bar", "Goal", "Measured", "Rounds", "Verdict")


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    columns = tuple(columns)
    lines = (columns, ("---",) * len(columns), *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def section(result: Result) -> str:
    """One benchmark's part of the page."""
    machine = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    figures = table(result.columns, result.rows)
    return (
        f"\n## {result.title}\n\n{result.method}\n\n{figures}\n"
        f"{result.conclusion}\n\nMeasured on {result.date}: {machine}.\n"
    )


def page(results: Iterable[Result]) -> str:
    """The whole page: every bar first, then each benchmark."""
    results = tuple(results)
    bars = table(_BARS, (bar for result in results for bar in result.bars))
    return _HEAD + bars + "".join(map(section, results))


def write_page() -> None:
    """Writes the page from what is in results/ now."""
    PAGE.write_text(page(read_results()), encoding="utf-8")


if __name__ == "__main__":
    write_page()
