"""The fault table: rows add up in a run, replace those of an earlier one, and the page is made from the data."""

import json
import runpy
from pathlib import Path

import pytest

import fault_table
from fault_table import record

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "fault_table.py"))


@pytest.fixture
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(fault_table, "SEEN", {})
    monkeypatch.delenv("KILL_TABLE", raising=False)
    monkeypatch.setenv("FAULT_TABLE", "a machine")
    return tmp_path / "results" / "fault-table.json"


def rows(results):
    return json.loads(results.read_text())["rows"]


def test_cases_of_one_run_add_up_and_replace_those_of_an_earlier_one(results, monkeypatch):
    record("corruption", "a flipped bit", "a set", cases=3, results=results)
    record("corruption", "a flipped bit", "a set", cases=2, survived=1, rows_lost=0, results=results)
    assert [(each["cases"], each["survived"], each["rows_lost"]) for each in rows(results)] == [(5, 4, 0)]
    monkeypatch.setattr(fault_table, "SEEN", {})
    record("corruption", "a flipped bit", "a set", results=results)
    record("power loss", "a copy", "a set", results=results)
    assert [(each["area"], each["cases"]) for each in rows(results)] == [("corruption", 1), ("power loss", 1)]


def test_lost_rows_add_up_too(results):
    record("kills", "dockerd", "restore", rows_lost=2, results=results)
    assert record("kills", "dockerd", "restore", rows_lost=1, results=results).rows_lost == 3


def test_a_run_that_was_not_asked_for_the_table_writes_none(results, monkeypatch):
    monkeypatch.delenv("FAULT_TABLE")
    record("corruption", "a flipped bit", "a set", results=results)
    assert not results.exists()


def test_every_fault_was_survived_and_no_row_lost():
    found = json.loads(TOOL["DATA"].read_text())["rows"]
    assert found
    assert [each for each in found if each["survived"] != each["cases"] or each["rows_lost"]] == []


def test_the_page_is_made_from_the_data():
    assert TOOL["PAGE"].read_text() == TOOL["page"](json.loads(TOOL["DATA"].read_text()))
