"""What the benchmarks tell: figures that are measured in pieces add up, and a verdict says what the figures say."""

import importlib
import json
import sys

import pytest

from world import ROOT


@pytest.fixture
def bench(monkeypatch):
    """The benchmarks' modules by name, taken away again."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", "") and "/benchmarks/" in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def kept(bench, tmp_path, monkeypatch):
    """A place for results where 'x' has one figure at two sizes."""
    monkeypatch.setattr(bench("result"), "RESULTS", tmp_path)
    raw = {"ours, 80 MB": [1.0], "ours, 1 GB": [5.0], "load, 1 GB": [0.1, 0.2]}
    (tmp_path / "x.json").write_text(json.dumps({"raw": raw}), encoding="utf-8")
    return bench("sized")


def test_a_size_that_is_measured_again_leaves_the_others_as_they_are(kept):
    raw = kept.gathered("x", kept.Asked(sizes=("1 GB",)), lambda _: {"ours": [7.0]})
    assert raw["ours, 80 MB"] == [1.0]
    assert raw["ours, 1 GB"] == [7.0]
    assert len(raw["load, 1 GB"]) == 2


def test_rounds_that_are_added_come_after_those_there_are(kept):
    raw = kept.gathered("x", kept.Asked(sizes=("1 GB",), add=True), lambda _: {"ours": [7.0]})
    assert raw["ours, 1 GB"] == [5.0, 7.0]
    assert len(raw["load, 1 GB"]) == 4


def test_a_bar_is_met_missed_or_not_measured(bench):
    sized = bench("sized")
    verdicts = [sized.most("", 1.1, figures)[-1] for figures in ([1.0, 1.1, 9.0], [1.2], [])]
    assert verdicts == ["met", "MISSED", "not measured"]
    assert [sized.least("", 8, [figure])[-1] for figure in (8.0, 7.9)] == ["met", "MISSED"]


def test_growth_says_how_far_the_medians_are_from_a_line(bench):
    sized = bench("sized")

    def told(*seconds):
        megabytes = dict(zip(sized.SIZES, (100, 300, 1000), strict=True))
        raw = {f"database MB, {size}": [each] for size, each in megabytes.items()}
        return sized.growth(
            raw | {f"ours, {size}": [each] for size, each in zip(megabytes, seconds, strict=True)}, "ours", "It"
        )

    assert told(1.2, 1.6, 3.0).startswith(
        "It: 1.0 s and 2.0 s for each GB of database; the medians at 3 sizes lie within 0%"
    )
    assert "within 0%" not in told(1.2, 1.6, 30.0)


def test_memory_that_grows_is_said_to_grow(bench):
    sized = bench("sized")
    raw = {f"ours MiB of memory, {size}": [45.0] for size in sized.SIZES}
    assert sized.memory(raw).endswith("; flat.")
    assert sized.memory({**raw, "ours MiB of memory, 1 GB": [60.0]}).endswith("; NOT FLAT.")
    assert sized.memory({"ours MiB of memory, 1 GB": [60.0]}).endswith("1 GB; other sizes are not measured.")


def test_each_other_round_goes_backwards_and_a_warm_run_does_not_count(bench):
    order = []

    def run(name):
        return lambda: order.append(name) or {"seconds": len(order)}

    made = bench("figures").interleaved({"a": run("a"), "b": run("b")}, 2, warm=("b",))
    assert order == ["b", "a", "b", "b", "a"]
    assert [each["seconds"] for each in made["b"]] == [3, 4]


def test_usable_is_the_first_page_after_the_swap(bench):
    probed = bench("prober").Probed([(0.0, 0.1, True), (1.0, 5.0, False), (1.1, 6.0, True), (1.2, 6.5, True)])
    assert probed.answered_after(2.0) == 6.0
    assert probed.failed == 1
    assert probed.slowest == pytest.approx(5.3)


def test_the_committed_results_are_told_by_the_code_of_today(bench):
    for result in bench("result").read_results():
        anew = bench("run").told_anew(result.name, bench(result.name).told)
        assert bench("page").section(anew) == bench("page").section(result), (
            f"type 'nox -s bench -- {result.name} --told'"
        )
