"""The package stays in pieces that a reader can hold, and no test leans on another: no exceptions."""

import ast
from collections import Counter

import pytest

from world import ROOT

LONGEST_FUNCTION, LONGEST_FILE = 30, 200
FILES = [*(ROOT / "scripts/chatwoot_ops").rglob("*.py")]


def functions(text):
    return [each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]


def too_long(text):
    """Functions over the limit, decorators left out and docstring counted."""
    lengths = {each.name: each.end_lineno - each.lineno + 1 for each in functions(text)}
    return {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT / "scripts").as_posix())
def test_no_function_and_no_file_is_too_long(path):
    text = path.read_text(encoding="utf-8")
    assert too_long(text) == {}
    assert len(text.splitlines()) <= LONGEST_FILE


def test_the_measure_sees_a_function_that_is_one_line_too_long():
    body = "\n".join("    x = 1" for _ in range(LONGEST_FUNCTION - 1))
    assert too_long(f"def f():\n{body}\n") == {}
    assert too_long(f"class A:\n  def f():\n{body}\n    x = 1\n") == {"f": LONGEST_FUNCTION + 1}
    assert len(FILES) > 80


def used_names(tree):
    """What a module names: variables, attributes, imports, and words in strings, where annotations live."""
    for each in ast.walk(tree):
        if isinstance(each, ast.Name | ast.Attribute):
            yield each.id if isinstance(each, ast.Name) else each.attr
        elif isinstance(each, ast.ImportFrom):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield from each.value.split()


def defined_names(tree):
    """What a module defines: functions, classes, methods and constants."""
    for each in ast.walk(tree):
        if isinstance(each, ast.FunctionDef | ast.ClassDef) and not each.name.startswith("__"):
            yield each.name
    for each in tree.body:
        if isinstance(each, ast.Assign):
            yield from (target.id for target in each.targets if isinstance(target, ast.Name))


def unused(trees, read_by_people=""):
    counted = Counter(name for tree in trees.values() for name in used_names(tree))
    return {
        f"{path}: {name}"
        for path, tree in trees.items()
        for name in defined_names(tree)
        # A constant's own assignment is one use. Operators call what the guides show them.
        if counted[name] <= int(name.isupper()) and name not in read_by_people
    }


def test_nothing_is_defined_that_nothing_uses():
    trees = {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    tasks = ast.parse((ROOT / "tasks.py").read_text(encoding="utf-8"))
    guides = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs/how-to").glob("*.md"))
    found = unused({**trees, "tasks": tasks}, guides)
    assert {each for each in found if not each.startswith("tasks")} == set()


def test_the_search_sees_what_nothing_uses():
    code = "A = 1\nB = A\ndef f(): return B\nclass C:\n  def m(self): return f()\n"
    assert unused({"x": ast.parse(code)}) == {"x: C", "x: m"}


def imported_tests(text):
    """Modules of tests that a module imports from."""
    imports = (each for each in ast.walk(ast.parse(text)) if isinstance(each, ast.ImportFrom))
    names = [name for each in imports for name in (each.module or "", *(alias.name for alias in each.names))]
    return [name for name in names if name.rpartition(".")[2].startswith("test_")]


def test_what_tests_share_stands_in_no_test():
    paths = (ROOT / "tests").rglob("*.py")
    found = {path.name: imported_tests(path.read_text(encoding="utf-8")) for path in paths}
    assert {name: names for name, names in found.items() if names} == {}


def test_a_test_that_imports_another_is_found():
    code = "from unit.test_push import REMOTE\nfrom unit import test_prune\nfrom sets import sealed\n"
    assert imported_tests(code) == ["unit.test_push", "test_prune"]
