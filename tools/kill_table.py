"""Writes docs/reference/kill-table.md from what the kills of `nox -s faults` were seen to leave and to need."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
DATA = REPOSITORY / "tests" / "stack" / "results" / "kill-table.json"
PAGE = REPOSITORY / "docs" / "reference" / "kill-table.md"
HEAD = """# The kill table

Each task that changes something, killed by SIGKILL as soon as the journal line of a step was on disk; what was there
then, and what ended it. After each, `up` refused (exit 12) until `recover` had run, the quick smoke check passed, and
every message that had been acknowledged was looked for. A restore that is finished brings the set's data, as it was
asked to: there the messages of the set are counted. Where a step is missing here, `tests/kill_kinds.py` says why.

Made on {date} ({machine}) by `nox -s faults`; the data is `tests/stack/results/kill-table.json`. This page is made
from it: do not edit it. The seconds are of a machine that did other work at the same time.

| operation | step | state afterwards | ended by | seconds | serves then | rows lost |
|---|---|---|---|---|---|---|
"""


NOT_RUN: dict[str, tuple[str, ...]] = runpy.run_path(str(REPOSITORY / "tests" / "kill_kinds.py"))["NOT_RUN"]


def page(found: dict[str, Any]) -> str:
    """The page's text; it ends with the kills that are written and that no machine has run yet."""
    head = HEAD.format(date=found["date"], machine=found["machine"])
    waiting = [f"- {kind}: {', '.join(f'`{step}`' for step in steps)}\n" for kind, steps in NOT_RUN.items()]
    rest = ["\n## Not run yet\n\n", *waiting] if waiting else []
    return head + "".join([*map(_line, found["rows"]), *rest])


def _line(row: dict[str, Any]) -> str:
    told = (row["operation"], f"`{row['step']}`", row["state"], f"`{row['ended_by']}`")
    return f"| {' | '.join((*told, str(row['seconds']), row['serves'], str(row['rows_lost'])))} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(DATA.read_text(encoding="utf-8"))), encoding="utf-8")
