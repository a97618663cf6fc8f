"""Sizes, checks, commands, releases and the journal's text."""

import json

import pytest

from chatwoot_ops.model import check, journal, release
from chatwoot_ops.model.size import parse_size, show_size

OPENING = journal.Opening("setup", "abc", "ada", 7, "2026-11-24T08:00:00Z", {"quick": True})
STEPS = (journal.Step("network", "t1", {"name": "kgc"}), journal.Step("images", "t2"))


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("512m", 512 * 1024**2),
        ("2g", 2 * 1024**3),
        ("256MB", 256 * 1024**2),
        ("1.5G", 1.5 * 1024**3),
        ("64k", 65536),
        ("10b", 10),
        ("10", 10),
        ("", 0),
        (" 1g ", 1024**3),
    ],
)
def test_a_size_is_read_as_compose_reads_it(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 kB"),
        (5 * 1024**3, "5.0 GB"),
        (2048 * 1024**3, "2.0 TB"),
        (-2048, "-2.0 kB"),
    ],
)
def test_a_size_is_shown_in_its_largest_unit(size, text):
    assert show_size(size) == text


def test_only_failed_checks_are_failures_and_they_keep_their_order():
    checks = [
        check.failed("a", "", ""),
        check.passed("b", ""),
        check.warned("c", "", ""),
        check.Check("d", check.Outcome.NOT_CONFIGURED, ""),
        check.Check("e", check.Outcome.LEFT_OUT, ""),
        check.failed("f", "", ""),
    ]
    assert [each.name for each in check.failures(checks)] == ["a", "f"]


@pytest.mark.parametrize(
    ("text", "tag", "version", "pinned", "community"),
    [
        ("chatwoot/chatwoot:latest-ce", "latest-ce", "", False, True),
        ("chatwoot/chatwoot:v4.15.1-ce", "v4.15.1-ce", "4.15.1", False, True),
        ("chatwoot/chatwoot:v4.15.1", "v4.15.1", "4.15.1", False, False),
        ("chatwoot/chatwoot:latest", "latest", "", False, False),
        ("chatwoot/chatwoot", "", "", False, False),
        (f"chatwoot/chatwoot:v4.15.1-ce@sha256:{'0' * 64}", "v4.15.1-ce", "4.15.1", True, True),
        (f"chatwoot/chatwoot@sha256:{'0' * 64}", "", "", True, False),
        ("registry.example:5000/chatwoot:v4.0.0-ce", "v4.0.0-ce", "4.0.0", False, True),
        ("registry.example:5000/chatwoot", "", "", False, False),
        ("sha256:" + "a" * 64, "", "", True, False),
        ("chatwoot/chatwoot:ce", "ce", "", False, True),
        ("chatwoot/chatwoot:v4.15.1-cell", "v4.15.1-cell", "", False, False),
    ],
)
def test_an_image_reference_is_taken_apart(text, tag, version, pinned, community):
    image = release.parse_image(text)
    assert (image.tag, image.version, image.pinned, image.community) == (tag, version, pinned, community)


@pytest.mark.parametrize(
    ("text", "sandbox"), [("chatwoot-sandbox/chatwoot-fake:v4.15.1-ce", True), ("chatwoot/chatwoot:latest-ce", False)]
)
def test_a_stand_in_is_known_by_its_name(text, sandbox):
    assert release.parse_image(text).sandbox is sandbox


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("shared: &s\n  version: '4.15.1'\n", "4.15.1"),
        ('version: "4.0.0"', "4.0.0"),
        ("version: 4.8.0", "4.8.0"),
        ("cat: no such file", ""),
        ("", ""),
    ],
)
def test_the_release_is_read_from_app_yml(text, version):
    assert release.version_of_app_yml(text) == version


def test_releases_are_ordered_as_numbers():
    given = ["v4.15.1-ce", "4.9.2", "v4.10.0-ce", "v4.10.0", ""]
    assert sorted(given, key=release.order_of) == ["", "4.9.2", "v4.10.0-ce", "v4.10.0", "v4.15.1-ce"]
    assert {release.order_of(each) for each in ("", "latest-ce", "sha256:a", "4.15", "v4.15.1-ce-rc1")} == {()}


def journal_text():
    return "".join(journal.to_line(record) + "\n" for record in (OPENING, *STEPS))


def test_a_journal_survives_its_own_text():
    assert journal.parse_journal(journal_text()) == journal.Journal(OPENING, STEPS)


@pytest.mark.parametrize("left", range(1, 40))
def test_a_journal_whose_last_line_was_cut_off_keeps_the_lines_before(left):
    found = journal.parse_journal(journal_text()[:-left])
    assert found
    assert found.opening == OPENING
    assert found.steps == (STEPS if left == 1 else STEPS[:1])


@pytest.mark.parametrize("text", ["", "\n", '{"operation": "set', '["a"]\n', '{"step": "network"}\n', "\0\0\0"])
def test_a_text_without_a_whole_opening_is_no_journal(text):
    assert journal.parse_journal(text) is None


def test_a_journal_knows_its_last_step_and_the_facts_of_each():
    found = journal.Journal(OPENING, STEPS)
    assert found.last_step == "images"
    assert found.facts("network") == {"name": "kgc"}
    assert found.facts("never") == {}
    assert journal.Journal(OPENING, ()).last_step == "nothing yet"


def test_a_ledger_line_is_one_line_of_json():
    line = journal.to_line(journal.LedgerEntry("setup", "abc", "ada", "t1", "t2", "done"))
    assert "\n" not in line
    assert json.loads(line)["outcome"] == "done"
