"""The page about the fake says what the tests hold it to."""

from contract import table


def test_the_page_has_the_table_that_the_recordings_give():
    text = table.PAGE.read_text(encoding="utf-8")
    assert f"{table.BEGIN}\n{table.made()}\n{table.END}" in text


def test_every_knob_in_the_code_is_on_the_page():
    source = table.PAGE.parents[2] / "infra" / "docker" / "sandbox" / "chatwoot-fake" / "chatwoot_fake"
    words = {
        word for path in source.rglob("*.py") for word in table.re.findall(r"CHATWOOT_FAKE_[A-Z_]+", path.read_text())
    }
    page = table.PAGE.read_text(encoding="utf-8")
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []
