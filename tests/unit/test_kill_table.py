"""The kill table: no step that exists is missing from it, nothing was lost in it, and the page is made from it."""

import json
import re

import pytest

from kill_kinds import ELSEWHERE, KINDS, NOT_RUN, SAMPLE, kills_of
from pages import entries, load, read
from world import ROOT

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
    """Of each kind the steps that lack a row, of one way out or of both."""
    there = {(row["operation"], row["step"], row["ended_by"]) for row in rows}
    without = {
        kind: [step for step, way in kills_of(kind) if (kind, step, f"invoke recover --{way}") not in there]
        for kind in KINDS
    }
    return {kind: tuple(dict.fromkeys(steps)) for kind, steps in without.items() if steps}


def strange(rows):
    """The rows of which there is no such kill."""
    known = {(kind, step) for kind, (_, steps) in KINDS.items() for step in (*steps, *NO_STEP)}
    return [row for row in rows if (row["operation"], row["step"]) not in known]


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


def test_the_committed_table_has_every_kill_but_those_that_are_said_not_to_have_run_yet_and_no_other():
    assert lacking(rows()) == NOT_RUN, "type 'nox -s faults', or take from NOT_RUN in tests/kill_kinds.py what has run"
    assert strange(rows()) == []


def test_a_kill_without_a_row_and_a_row_without_a_kill_are_found():
    whole = [
        {"operation": kind, "step": step, "ended_by": f"invoke recover --{way}"}
        for kind in KINDS
        for step, way in kills_of(kind)
    ]
    assert (lacking(whole), strange(whole)) == ({}, [])
    assert lacking(whole[1:]) == {whole[0]["operation"]: (whole[0]["step"],)}
    stranger = {**whole[0], "step": "polish"}
    assert strange([*whole, stranger]) == [stranger]


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
