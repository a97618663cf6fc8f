"""The kill table: no step that exists is missing from it, nothing was lost in it, and the page is made from it."""

import json
import re

import pytest

from kill_kinds import ELSEWHERE, KINDS, SAMPLE, kills_of
from test_docs_reference import ROOT, entries, load, read

TOOL = load(ROOT / "tools/kill_table.py")
PAGE = "docs/reference/tasks.md"
# A container that is killed is no step.
NO_STEP = {"its container", "the database"}


def announced():
    """Every (task, step) that the reference lists; another test holds the reference to the code."""
    found = set()
    for task, (_, part) in entries(read(PAGE)).items():
        line = re.search(r"^- Journal: (.+)$", part, re.MULTILINE)
        found |= {(task, step) for step in re.findall(r"`([\w-]+)`", line[1] if line else "")}
    return found


def without_a_row(steps, kinds, elsewhere):
    killed = {(task, step) for task, own in kinds.values() for step in own}
    return {(task, step) for task, step in steps - killed if not {task, (task, step)} & elsewhere.keys()}


def lacking(rows):
    """Each step of a task that has no row, of either way out, and the rows of which there is no such kill."""
    rows = [row for row in rows if row["step"] not in NO_STEP]
    wanted = {(KINDS[kind][0], step, f"invoke recover --{way}") for kind in KINDS for step, way in kills_of(kind)}
    there = {(KINDS[row["operation"]][0], row["step"], row["ended_by"]) for row in rows}
    return sorted(wanted ^ there)


def rows():
    return json.loads(TOOL.DATA.read_text(encoding="utf-8"))["rows"]


def test_every_journal_step_of_every_task_is_killed_at_or_it_is_said_where_else():
    assert without_a_row(announced(), KINDS, ELSEWHERE) == set()


def test_a_step_that_is_new_or_killed_nowhere_is_found():
    new = announced() | {("restore", "polish")}
    assert without_a_row(new, KINDS, ELSEWHERE) == {("restore", "polish")}
    fewer = {kind: what for kind, what in KINDS.items() if kind != "restore --to"}
    assert without_a_row(announced(), fewer, ELSEWHERE) == {("restore", "recover"), ("restore", "new-chain")}


def test_no_reason_is_given_for_what_does_not_exist_or_is_in_the_table():
    steps = announced()
    killed = {(task, step) for task, own in KINDS.values() for step in own}
    assert {task for task in ELSEWHERE if isinstance(task, str)} <= {task for task, _ in steps}
    assert {each for each in ELSEWHERE if isinstance(each, tuple)} <= steps - killed


def test_the_committed_table_has_every_step_of_every_task_and_no_other():
    assert lacking(rows()) == []


def test_a_step_without_a_row_and_a_row_without_a_step_are_found():
    renamed = [{**row, "step": "polish"} if row["step"] == "mark" else row for row in rows()]
    assert {each[1] for each in lacking(renamed)} == {"mark", "polish"}


def test_what_runs_by_default_is_part_of_the_matrix():
    assert {each for each in SAMPLE if each[1:] not in kills_of(each[0])} == set()


def test_no_kill_lost_a_row():
    assert [row for row in rows() if row["rows_lost"] or row["exit_code"] not in {0, 22, 23, 26}] == []


def test_the_page_is_made_from_the_data():
    found = json.loads(TOOL.DATA.read_text(encoding="utf-8"))
    assert read("docs/reference/kill-table.md") == TOOL.page(found)
    found["rows"][0]["rows_lost"] = 1
    assert read("docs/reference/kill-table.md") != TOOL.page(found)


@pytest.mark.parametrize("reason", sorted(set(ELSEWHERE.values())))
def test_a_test_that_a_reason_names_is_there(reason):
    assert [path for path in re.findall(r"tests/[\w/.]+\.py", reason) if not (ROOT / path).exists()] == []
