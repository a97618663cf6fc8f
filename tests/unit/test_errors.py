"""Exit codes: unique, in their family, documented in both languages."""

import importlib
import pkgutil
import re

import pytest

import chatwoot_ops
from chatwoot_ops.errors import FailedError, InterruptedByOperatorError, NeedsOperatorError, OpsError, RefusedError
from world import ROOT

FAMILIES = {RefusedError: range(10, 20), FailedError: range(20, 30), NeedsOperatorError: range(30, 40)}
PAGES = ("docs/reference/exit-codes.md", "docs/hu/reference/exit-codes.md")
# Share their parent's meaning on purpose: an undo that is refused because people work on the stack, and a request to
# the remote that failed because the object is not there.
SAME_MEANING = {"RefusedInUseError": "StackLockedError", "AbsentError": "CommandFailedError"}


def classes():
    for module in pkgutil.walk_packages(chatwoot_ops.__path__, "chatwoot_ops."):
        importlib.import_module(module.name)
    found, rest = [], [OpsError]
    while rest:
        rest += (children := rest.pop().__subclasses__())
        found += children
    return {each.__name__: each for each in found if each not in FAMILIES}


CLASSES = classes()


def documented(page):
    rows = re.findall(
        r"^\| (?P<code>\d+) \| (?P<name>[^|]+) \| (?P<text>[^|]+) \|$", (ROOT / page).read_text(), re.MULTILINE
    )
    return {int(code): text for code, _, text in rows}


def test_codes_are_unique():
    codes = {name: each.code for name, each in CLASSES.items() if name not in SAME_MEANING}
    assert len(set(codes.values())) == len(codes) == 17
    assert all(CLASSES[name].code == CLASSES[same].code for name, same in SAME_MEANING.items())


@pytest.mark.parametrize("name", CLASSES)
def test_each_error_is_in_the_family_of_its_first_digit(name):
    each = CLASSES[name]
    if each is InterruptedByOperatorError:
        assert each.code == 130
    else:
        assert any(issubclass(each, family) and each.code in codes for family, codes in FAMILIES.items())
        assert each.__doc__


@pytest.mark.parametrize("page", PAGES)
def test_each_code_is_documented(page):
    assert {0, 1, *(each.code for each in CLASSES.values())} <= set(documented(page))


def test_both_languages_document_the_same_codes():
    assert documented(PAGES[0]).keys() == documented(PAGES[1]).keys()


def test_a_bug_of_ours_is_no_documented_failure():
    assert OpsError.code == 1
    assert not [name for name, each in CLASSES.items() if each.code == 1]
