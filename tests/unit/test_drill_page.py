"""The page of drills: what it says, that it says it safely, and that it needs nothing from anywhere."""

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from chatwoot_ops.console.drill_page import drill_page, seconds_of
from chatwoot_ops.model.check import failed, warned
from sets import certificate

NEVER_CLOSED = {"meta"}
EVIL = '<script>alert("x")</script>&\''


class Page(HTMLParser):
    """The tags of a page, and whether each that was opened was closed in order."""

    def __init__(self, text):
        super().__init__()
        self.seen, self._open, self.whole = [], [], True
        self.feed(text)
        self.whole = self.whole and not self._open

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in NEVER_CLOSED:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        self.whole = self.whole and bool(self._open) and self._open.pop() == tag


def several(*seconds):
    return tuple(
        certificate(began=f"2026-11-{day:02}T08:00:00Z", ended=f"2026-11-{day:02}T08:02:00Z", recovery_seconds=each)
        for day, each in enumerate(seconds, start=1)
    )


def charts(text):
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]  # noqa: S314 - our own


def points(svg):
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in svg.find("polyline").get("points").split())]


def test_the_newest_certificate_is_shown_with_its_figures():
    text = drill_page(several(50.0, 41.5))
    assert "The newest drill" in text
    for said in ("20261124T080000Z-logical (logical, 2.0 kB)", "41.5 s", "261 rows in 2 tables, 2 files proved"):
        assert said in text
    assert "/app/login" in text
    assert "FAKE" not in text
    assert "Until it could be used" not in text
    assert "<th>Until it could be used</th><td>9.5 s</td>" in drill_page((certificate(usable_seconds=9.5),))


def test_a_fake_is_called_one():
    assert "v4.15.1-ce (a FAKE of Chatwoot ran, not a real one)" in drill_page([certificate(fake=True)])


def test_a_failed_drill_says_why():
    checks = (failed("/api", "no answer", "look"), warned("disk", "90 % full", "look"))
    text = drill_page([certificate(passed=False, why="/api: no answer", checks=checks, recovery_seconds=0.0)])
    assert '<h2>The newest drill <span class="failed">failed</span></h2>' in text
    assert "<th>Why it failed</th><td>/api: no answer</td>" in text
    assert "<th>From restore to proof</th><td>not reached</td>" in text
    assert '<td class="fail">fail</td><td>/api</td>' in text


def test_size_duration_and_recovery_time_are_plotted_over_the_history():
    text = drill_page(several(10.0, 40.0, 20.0))
    recovery, duration, size = charts(text)
    assert [svg.get("aria-label") for svg in (recovery, duration, size)] == [
        "Recovery time",
        "Duration of the drill",
        "Size of the set",
    ]
    (x1, y1), (x2, y2), (x3, y3) = points(recovery)
    assert x1 < x2 < x3
    assert x2 - x1 == pytest.approx(x3 - x2)
    assert y2 < y3 < y1  # higher up is longer
    assert len({y for _, y in points(duration)}) == len({y for _, y in points(size)}) == 1
    assert [title.text for title in recovery.iter("title")] == [
        "2026-11-01T08:00:00Z: 10.0 s",
        "2026-11-02T08:00:00Z: 40.0 s",
        "2026-11-03T08:00:00Z: 20.0 s",
    ]


def test_a_failed_drill_is_marked_in_the_plot():
    (first, *_) = charts(drill_page([certificate(passed=False, recovery_seconds=0.0)]))
    (circle,) = first.iter("circle")
    assert circle.get("class") == "failed"
    assert circle.find("title").text.endswith("0.0 s (failed)")


def test_the_history_lists_the_newest_first():
    text = drill_page(several(10.0, 40.0))
    history = text.partition("<h2>History</h2>")[2].partition("<table>")[2]
    assert history.index("2026-11-02") < history.index("2026-11-01")


def test_seconds_of_a_drill_are_from_its_beginning_to_its_end():
    assert seconds_of(certificate()) == 70.0


@pytest.mark.parametrize("name", ["set", "kind", "release", "instance", "image", "why"])
def test_no_text_of_a_certificate_becomes_markup(name):
    text = drill_page([certificate(**{name: EVIL})], [EVIL])
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert Page(text).whole


def test_no_text_of_a_check_becomes_markup():
    text = drill_page([certificate(checks=(failed(EVIL, EVIL, EVIL),))])
    assert "<script" not in text
    assert Page(text).whole


@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_the_page_is_whole_and_needs_nothing_from_anywhere(count):
    page = Page(drill_page(several(*range(count)) if count < 28 else [certificate()] * count, ["torn.json"]))
    assert page.whole
    tags = {tag for tag, _ in page.seen}
    assert not tags & {"script", "link", "img", "iframe", "object", "a", "image", "use"}
    assert not [attrs for _, attrs in page.seen if {"href", "src", "xlink:href", "onload"} & set(attrs)]
    policy = [attrs["content"] for tag, attrs in page.seen if tag == "meta" and "content" in attrs]
    assert policy[0].startswith("default-src 'none'")


def test_without_any_drill_the_page_says_so_and_a_damaged_certificate_is_named():
    assert "No drill was made yet." in drill_page([])
    assert "Cannot be read as a certificate: torn.json" in drill_page([certificate()], ["torn.json"])


def test_a_certificate_without_a_checksum_is_called_so_and_one_with_it_is_not():
    assert drill_page([certificate(format=1)]).count("no checksum") == 3
    assert "no checksum" not in drill_page([certificate()])
