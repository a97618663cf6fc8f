"""The committed kill table: nothing lost in it, and the page is made from it."""

import json
import runpy

from stack.tools import REPOSITORY

TOOL = runpy.run_path(str(REPOSITORY / "tools" / "kill_table.py"))


def test_no_kill_lost_a_row():
    rows = json.loads(TOOL["DATA"].read_text())["rows"]
    assert rows
    assert [row for row in rows if row["rows_lost"]] == []


def test_the_page_is_made_from_the_data():
    assert TOOL["PAGE"].read_text() == TOOL["page"](json.loads(TOOL["DATA"].read_text()))
