"""The documentation as tests read it, and the programs that make parts of it."""

import importlib.util
import re

from world import ROOT


def load(path):
    """The module in a file that belongs to no package."""
    spec = importlib.util.spec_from_file_location(path.stem + "_under_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(page):
    return (ROOT / page).read_text(encoding="utf-8")


def entries(text):
    """Each task's part of the page, with the group it stands in."""
    found, group = {}, ""
    for part in re.split(r"^(?=##)", text, flags=re.MULTILINE):
        if heading := re.match(r"## .*`\[(\w+)\]`\n", part):
            group = heading[1]
        elif heading := re.match(r"### `([\w.-]+)`\n", part):
            found[heading[1]] = (group, part)
    return found
