"""The documentation is held to the repository: links, translations, settings, and names that stay out."""

from __future__ import annotations

import re
from itertools import takewhile
from pathlib import Path

import pytest
from dotenv import dotenv_values

from chatwoot_ops.model.schema import Secrecy, SettingDefinition, parse_schema
from chatwoot_ops.model.setting_types import wrong_with
from pages import read
from world import ROOT

STACK_PAGE = Path("infra/docker/chatwoot/README.md")
EXAMPLE = ROOT / "infra/docker/chatwoot/.env.example"
PAGES = sorted(
    page.relative_to(ROOT)
    for found in (ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), (ROOT / "infra").rglob("*.md"))
    for page in found
)
TRANSLATIONS = [page for page in PAGES if page.is_relative_to("docs/hu")]

_MARKER = re.compile(r"<!-- translation of: (?P<source>\S+) -->\n")
_FENCED = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(?P<level>#+) (?P<title>.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_TABLE = re.compile(r"<!-- settings:begin -->\n(?P<table>.*?)<!-- settings:end -->", re.DOTALL)
_ROW = re.compile(r"^\| `(?P<key>\w+)` \| (?:`(?P<default>[^`]*)`)? *\|", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?<![\w.~}])/(?:work|tmp|opt|home|root|mnt)/")
_HOST = re.compile(r"(?<![\w@/.-])(?:https?://)?(?P<host>(?:[a-z0-9-]+\.)+(?:com|org|io|net|dev))\b")
# Hosts a reader has to know. No registry is among them: what a machine installs from is the machine's affair.
_KNOWN_HOSTS = {
    "000000000000-example.apps.googleusercontent.com",
    "graph.facebook.com",
    "gravatar.com",
    "hub.2.chatwoot.com",
    "keepachangelog.com",
    "semver.org",
}


def source_of(page: Path) -> Path:
    marker = _MARKER.match(read(page))
    assert marker, f"the first line of {page} must be <!-- translation of: PATH -->"
    return Path(marker["source"])


def headings(text: str) -> list[re.Match[str]]:
    return list(_HEADING.finditer(_FENCED.sub("", text)))


def outline(text: str) -> list[int]:
    """Levels of the headings in order, without the settings table, which no translation repeats."""
    return [len(heading["level"]) for heading in headings(_TABLE.sub("", text))]


def anchors(text: str) -> set[str]:
    titles = (heading["title"].lower() for heading in headings(text))
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


def resolves(page: Path, target: str) -> bool:
    path, _, anchor = target.partition("#")
    file = (ROOT / page).parent / path if path else ROOT / page
    return file.exists() and (not anchor or anchor in anchors(file.read_text(encoding="utf-8")))


def broken_links(page: Path, text: str) -> list[str]:
    targets = [link["target"] for link in _LINK.finditer(_FENCED.sub("", text))]
    return [target for target in targets if "://" not in target and not resolves(page, target)]


def foreign_names(text: str) -> list[str]:
    hosts = (found["host"] for found in _HOST.finditer(text))
    return [*_MACHINE_PATH.findall(text), *(host for host in hosts if host not in _KNOWN_HOSTS)]


def blocks(text: str) -> list[tuple[str, bool]]:
    """Language of each code block, and whether it is marked as one that no test runs."""
    before = [text[: block.start()].splitlines()[-1:] for block in _FENCED.finditer(text)]
    marked = [any(line.startswith("<!-- not run: ") for line in lines) for lines in before]
    return [(block["language"], mark) for block, mark in zip(_FENCED.finditer(text), marked, strict=True)]


def differences(source: str, translation: str) -> list[str]:
    found = [] if outline(source) == outline(translation) else ["the headings differ"]
    if blocks(source) != blocks(translation):
        return [*found, "the code blocks differ in number, language or mark"]
    pairs = zip(_FENCED.finditer(source), _FENCED.finditer(translation), strict=True)
    return found + [f"differs: {a['code'].splitlines()[0]}" for a, b in pairs if a["code"] != b["code"]]


def table_rows(text: str) -> dict[str, str]:
    region = _TABLE.search(text)
    return {row["key"]: row["default"] or "" for row in _ROW.finditer(region["table"])} if region else {}


def settings() -> tuple[SettingDefinition, ...]:
    return parse_schema(EXAMPLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_to_a_local_file_and_heading_resolves(page):
    assert broken_links(page, read(page)) == []


def test_a_link_to_a_file_or_heading_that_is_not_there_is_found():
    text = "[a](missing.md) [b](README.md) [c](#nowhere) [d](https://somewhere.example/)"
    assert broken_links(Path("CONTRIBUTING.md"), text) == ["missing.md", "#nowhere"]


@pytest.mark.parametrize("page", [*PAGES, EXAMPLE.relative_to(ROOT)], ids=str)
def test_no_page_names_a_path_of_one_machine_or_an_unexpected_host(page):
    assert foreign_names(read(page)) == []


def test_a_machine_path_and_an_unexpected_host_are_found():
    text = "see {root}work/shared and https://packages.somewhere.io/simple".format(root="/")
    assert foreign_names(text) == ["/{}/".format("work"), "packages.somewhere.io"]


@pytest.mark.parametrize("page", TRANSLATIONS, ids=str)
def test_every_translation_has_the_headings_and_the_commands_of_its_source(page):
    assert differences(read(source_of(page)), read(page)) == []


def test_a_translation_with_another_command_heading_or_mark_is_found():
    source = "# One\n\n```sh\nls\n```\n"
    blocks_differ = ["the code blocks differ in number, language or mark"]
    assert differences(source, "# Egy\n\n```sh\nrm\n```\n") == ["differs: ls"]
    assert differences(source, "## Egy\n\n```sh\nls\n```\n") == ["the headings differ"]
    assert differences(source, "# Egy\n") == blocks_differ
    assert differences(source, "# Egy\n\n<!-- not run: ok -->\n```sh\nls\n```\n") == blocks_differ


def test_every_page_that_a_person_on_duty_needs_is_translated():
    pages = (
        "docs/index.md",
        "docs/onboarding.md",
        "docs/reference/exit-codes.md",
        "docs/reference/tasks.md",
        str(STACK_PAGE),
    )
    wanted = {Path(page) for page in pages}
    wanted |= {page for page in PAGES if page.parent in {Path("docs/runbooks"), Path("docs/how-to")}}
    assert {source_of(page) for page in TRANSLATIONS} >= wanted


def test_the_settings_table_has_every_setting_with_its_default_and_no_other():
    assert table_rows(read(STACK_PAGE)) == {setting.key: setting.default or "" for setting in settings()}


def test_every_setting_says_what_it_means():
    assert [setting.key for setting in settings() if not setting.prose] == []


def test_every_default_and_every_example_has_the_type_it_states():
    problems = {s.key: wrong_with(s.type, s.example) for s in settings() if s.example}
    assert {key: problem for key, problem in problems.items() if problem} == {}


def test_every_secret_is_empty_and_nothing_else_that_is_active_is():
    assert [s.key for s in settings() if s.secrecy is not Secrecy.NO and s.example] == []
    assert [s.key for s in settings() if s.secrecy is Secrecy.NO and s.default == ""] == []


def test_a_setting_that_any_value_switches_on_is_off():
    assert [s.key for s in settings() if s.type == "presence" and s.default is not None] == []


def test_what_is_needed_is_active_and_what_is_not_needed_is_off():
    assert [s.key for s in settings() if s.needed != (s.default is not None)] == []


def test_the_library_reads_the_example_as_the_schema_does():
    assert dotenv_values(EXAMPLE) == {s.key: s.default for s in settings() if s.default is not None}
    assert "$" not in read(EXAMPLE)


def test_every_runbook_fits_on_one_page():
    runbooks = [page for page in PAGES if page.parent == Path("docs/runbooks")]
    assert runbooks
    assert [str(page) for page in runbooks if len(read(page).splitlines()) > 90] == []


def test_twelve_troubles_or_more_have_a_symptom_a_check_and_a_cure():
    _, _, rest = read(STACK_PAGE).partition("\n## Troubleshooting\n")
    section = "\n".join(takewhile(lambda line: not line.startswith("## "), rest.splitlines()))
    entries = section.split("\n### ")[1:]
    assert len(entries) >= 12
    assert [e for e in entries if not all(word in e for word in ("- Symptom:", "- Check:", "- Cure:"))] == []
