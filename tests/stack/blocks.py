"""The commands that a page of the documentation tells its reader to type."""

import re

_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NOT_RUN = "<!-- not run:"


def commands_of(page, section=""):
    """Every `sh` block of a page or of one section, in order, without those marked `<!-- not run: why -->`."""
    text = page.read_text()
    if section:
        text = re.split(r"\n## ", text.split(f"\n## {section}\n", 1)[1])[0]
    blocks = [match for match in _BLOCK.finditer(text) if not _marked(text, match)]
    assert blocks, f"{page} has no block of commands that could be run"
    return "\n".join(match[1] for match in blocks)


def marked_block(page, text):
    """The one `sh` block of a page that holds this text, marked or not: for tests that bring what it needs."""
    found = [match[1] for match in _BLOCK.finditer(page.read_text()) if text in match[1]]
    assert len(found) == 1, f"{len(found)} blocks of {page} hold {text!r}"
    return found[0]


def _marked(text, match):
    return text[: match.start()].rstrip("\n").rpartition("\n")[2].startswith(_NOT_RUN)
