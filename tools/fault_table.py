"""Writes docs/reference/fault-table.md from what the fault tests of `nox -s faults` saw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "tests" / "stack" / "results" / "fault-table.json"
PAGE = REPOSITORY / "docs" / "reference" / "fault-table.md"
HEAD = """# The fault table

What was broken on purpose, how often, and what came of it.
A case is survived when nothing live changed that should not, nothing damaged passed as good,
and what could not be done was said in clear words with its documented exit code.
Faults tried: {cases}. Faults survived: {survived}. Rows lost: {lost}.
Where no row count stands, the fault met a set, a bucket or a state folder and no database was at stake.
Kills at each journal step have [a table of their own](kill-table.md).

Made on {machine} by `nox -s faults`; the data is `tests/stack/results/fault-table.json`.
This page is made from it: do not edit it.
"""
COLUMNS = "| what was broken | where | cases | survived | rows lost | date |\n|---|---|---|---|---|---|\n"


def page(found: dict[str, Any]) -> str:
    """The page's text."""
    rows = found["rows"]
    cases, survived = (sum(each[name] for each in rows) for name in ("cases", "survived"))
    lost = sum(each["rows_lost"] or 0 for each in rows)
    text = HEAD.format(machine=found["machine"], cases=f"{cases:,}", survived=f"{survived:,}", lost=lost)
    for area in dict.fromkeys(each["area"] for each in rows):
        lines = "".join(_line(each) for each in rows if each["area"] == area)
        text += f"\n## {area[0].upper()}{area[1:]}\n\n{COLUMNS}{lines}"
    return text


def _line(row: dict[str, Any]) -> str:
    lost = "" if row["rows_lost"] is None else str(row["rows_lost"])
    told = (row["fault"], row["on"], str(row["cases"]), str(row["survived"]), lost, row["date"])
    return f"| {' | '.join(told)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(DATA.read_text(encoding="utf-8"))), encoding="utf-8")
