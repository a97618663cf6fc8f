"""The package stays in pieces that a reader can hold: no function over 30 lines, no file over 200, no exceptions."""

import ast

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


def names(tree):
    """What a module uses by name, attribute or import; and what it defines on its top level."""
    used, defined = [], []
    for each in ast.walk(tree):
        if isinstance(each, ast.Name | ast.Attribute):
            used.append(each.id if isinstance(each, ast.Name) else each.attr)
        elif isinstance(each, ast.ImportFrom):
            used += [alias.name for alias in each.names]
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            used += each.value.split()
    for each in tree.body:
        if isinstance(each, ast.FunctionDef | ast.ClassDef):
            defined.append(each.name)
        elif isinstance(each, ast.Assign):
            defined += [target.id for target in each.targets if isinstance(target, ast.Name)]
    return used, defined


def test_nothing_is_defined_that_nothing_uses():
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in [*FILES, ROOT / "tasks.py"]}
    counted: dict[str, int] = {}
    for tree in trees.values():
        for name in names(tree)[0]:
            counted[name] = counted.get(name, 0) + 1
    unused = {
        f"{path.name}: {name}"
        for path, tree in trees.items()
        if path.name != "tasks.py"
        for name in names(tree)[1]
        # A constant's own assignment is one use.
        if counted.get(name, 0) <= (1 if name.isupper() or (name.startswith("_") and name[1:].isupper()) else 0)
    }
    assert unused == set()
