"""The reference is held to the code: each task, flag, journal step and exit code that exists, and no other."""

import ast
import importlib
import importlib.util
import pkgutil
import re
import sys
from typing import NamedTuple

import pytest
from invoke.collection import Collection

from chatwoot_ops import operations
from chatwoot_ops.errors import OpsError
from pages import entries, load, read
from world import ROOT

PAGES = {
    "docs/reference/tasks.md": ("Example", "Changes", "Journal", "Exit codes", "Killed in the middle"),
    "docs/hu/reference/tasks.md": ("Példa", "Módosít", "Napló", "Kilépési kódok", "Ha közben megölik"),
}
EXIT_CODES = ("docs/reference/exit-codes.md", "docs/hu/reference/exit-codes.md")
OF_EVERY_TASK = {0, 1}  # done, and what Invoke itself answers to a wrong command line


class Task(NamedTuple):
    group: str
    example: str
    flags: frozenset[str]


def tasks():
    collection = Collection.from_module(load(ROOT / "tasks.py"))
    flags = {context.name: context.flags for context in collection.to_contexts()}
    found = {}
    # What is typed: a collection's default task goes by the collection's name.
    typed = {path: next(iter(aliases), path) for path, aliases in collection.task_names.items()}
    for path, name in typed.items():
        task = collection[name]
        group = re.match(r"\[(\w+)\] ", task.__doc__)[1]
        example = re.search(r"^ *Example: (.+)$", task.__doc__, re.MULTILINE)[1]
        found[name] = Task(group, example, frozenset(flag for flag in flags[path] if flag.startswith("--")))
    return found


def steps_in(source):
    """Names of journal steps: text right behind `change` or `.step(` in a call. A name from elsewhere is no text."""
    found = set()
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        after = [one for one, two in zip(call.args[1:], call.args, strict=False) if getattr(two, "id", "") == "change"]
        is_step = isinstance(call.func, ast.Attribute) and call.func.attr == "step"
        of_change = is_step and getattr(call.func.value, "id", "") == "change"
        names = [*after, *(call.args[:1] if of_change else ())]
        found |= {name.value for name in names if isinstance(name, ast.Constant)}
    return found


def steps():
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "scripts/chatwoot_ops").rglob("*.py"))
    return set().union(*map(steps_in, sources))


def codes_of(error=OpsError):
    """Codes of an error and all below it, errors left out that a test has made for itself."""
    below = (each for each in error.__subclasses__() if each.__module__.startswith("chatwoot_ops."))
    return {error.code}.union(*map(codes_of, below))


def codes():
    for module in pkgutil.walk_packages(operations.__path__, f"{operations.__name__}."):
        importlib.import_module(module.name)
    return codes_of() | OF_EVERY_TASK


def listed(text, label, pattern):
    lines = re.findall(rf"^- {label}: (.+)$", text, re.MULTILINE)
    return {found for line in lines for found in re.findall(pattern, line)}


def documented_task(group, part, example):
    flags = re.findall(r"^\| `(--[\w-]+)` \|", part, re.MULTILINE)
    return Task(group, next(iter(listed(part, example, r"`(.+)`")), ""), frozenset(flags))


def problems(text, labels):
    example, changes, journal, exits, killed = labels
    parts = entries(text)
    documented = {name: documented_task(group, part, example) for name, (group, part) in parts.items()}
    differ = {name for name, _ in documented.items() ^ tasks().items()}
    incomplete = {
        n for n, (_, part) in parts.items() if any(f"\n- {x}: " not in part for x in (changes, exits, killed))
    }
    named_steps = listed(text, journal, r"`([\w-]+)`")
    named_codes = {int(code) for code in listed(text, exits, r"\d+")}
    return differ | incomplete | named_steps ^ steps() | {str(code) for code in named_codes - codes()}


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_has_every_task_flag_example_and_journal_step_and_no_other(page):
    assert problems(read(page), PAGES[page]) == set()


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("there", "instead", "found"),
    [
        ("### `status`", "### `stat`", {"status", "stat"}),
        ("| `--junit` |", "| `--xml` |", {"smoke", "doctor"}),
        ("`invoke migrate`\n", "`invoke migrate --now`\n", {"migrate"}),
        ("`[repair]`", "`[mend]`", {"recover"}),
        ("`administrator`", "`admin`", {"administrator", "admin"}),
        ("10, 12, 14", "10, 12, 14, 99", {"99"}),
    ],
)
def test_a_reference_that_says_something_else_is_found(page, there, instead, found):
    broken = read(page).replace(there, instead)
    assert broken != read(page)
    assert problems(broken, PAGES[page]) == found


@pytest.mark.parametrize("page", PAGES)
def test_a_task_of_which_nobody_says_what_a_kill_leaves_is_found(page):
    before, _, after = read(page).rpartition(f"\n- {PAGES[page][-1]}: ")
    assert problems(f"{before}\n{after}", PAGES[page]) == {"rehearse"}


def test_a_step_is_found_where_it_is_announced_and_where_its_name_is_handed_on():
    source = 'change.step("one", text)\n_write(stack, change, "two", text)\nchange.step(name)\nreporter.step("no step")'
    assert steps_in(source) == {"one", "two"}


def table_codes(text):
    return [int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)]


@pytest.mark.parametrize("page", EXIT_CODES)
def test_the_table_of_exit_codes_has_every_code_of_an_error_once_and_no_other(page):
    assert sorted(table_codes(read(page))) == sorted(codes())


def test_an_exit_code_that_is_new_is_found():
    new = type("RestoreFailedError", (OpsError,), {"code": 98, "__module__": "chatwoot_ops.errors"})
    assert 98 in codes()
    new.__module__ = __name__
    assert 98 not in codes()


@pytest.fixture(scope="module")
def bench():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield load(ROOT / "benchmarks/page.py")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_the_page_of_benchmarks_is_made_from_the_results(bench):
    assert read("docs/reference/benchmarks.md") == bench.page(bench.read_results()), "type 'nox -s reference'"


def test_a_result_that_changes_changes_the_page(bench):
    first, *rest = bench.read_results()
    changed = first.__class__(**{**{key: getattr(first, key) for key in first.__slots__}, "conclusion": "Twice."})
    assert bench.page((changed, *rest)) != read("docs/reference/benchmarks.md")


def test_the_settings_tables_are_what_the_example_asks_for():
    tables = load(ROOT / "tools/settings_table.py")
    page, example = read("infra/docker/chatwoot/README.md"), read("infra/docker/chatwoot/.env.example")
    assert tables.with_tables(page, example) == page, "type 'nox -s reference'"
    assert tables.with_tables(page, example.replace("CHATWOOT_PORT=3002", "CHATWOOT_PORT=3003")) != page
    with pytest.raises(ValueError, match="exactly once"):
        tables.with_tables(page.replace("settings:begin", "settings"), example)
