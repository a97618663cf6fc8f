"""The schema: `.env.example` read as operators read it."""

import pytest

from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.schema import Secrecy, parse_schema
from world import FOLDER

FACTS = "# type: port; secret: no; change: restart; needed: yes\n"
WHOLE = f"# == Web ==\n# About.\n\n# Its port.\n# Others use it.\n{FACTS}PORT=3002\n"


def test_a_setting_is_read_with_its_group_prose_and_facts():
    (found,) = parse_schema(WHOLE)
    assert (found.key, found.group, found.type, found.default) == ("PORT", "Web", "port", "3002")
    assert (found.secrecy, found.change, found.needed) == (Secrecy.NO, "restart", True)
    assert found.prose == "Its port. Others use it."


@pytest.mark.parametrize(
    ("line", "default", "example"), [("#PORT=1", None, "1"), ("PORT=", "", ""), ("#PORT=", None, "")]
)
def test_a_commented_setting_is_optional_and_keeps_its_example(line, default, example):
    (found,) = parse_schema(WHOLE.replace("PORT=3002", line))
    assert (found.default, found.example) == (default, example)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# type: port; secret: no; change: restart; needed: yes\n", ""),
        ("type: port; ", ""),
        ("secret: no; ", ""),
        ("secret: no", "secret: perhaps"),
        ("change: restart; ", ""),
        ("; needed: yes", ""),
        ("type: port; secret: no; change: restart; needed: yes", "type: port, secret: no"),
    ],
    ids=["no facts", "no type", "no secrecy", "unknown secrecy", "no change", "no need", "commas"],
)
def test_a_setting_without_all_its_facts_is_refused_by_name(old, new):
    with pytest.raises(SettingsInvalidError) as caught:
        parse_schema(WHOLE.replace(old, new))
    assert caught.value.details == ("PORT: no complete '# type: ...' line stands above it",)


def test_all_broken_settings_are_named_at_once():
    with pytest.raises(SettingsInvalidError) as caught:
        parse_schema("A=1\nB=2\n" + WHOLE)
    assert [line[0] for line in caught.value.details] == ["A", "B"]


def test_prose_that_shows_an_assignment_is_no_setting():
    assert [item.key for item in parse_schema("# Say it like this:\n#KEY=value\n\n" + WHOLE)] == ["PORT"]


def test_facts_do_not_leak_into_the_next_setting():
    with pytest.raises(SettingsInvalidError, match="damaged"):
        parse_schema(WHOLE + "OTHER=1\n")


def test_the_real_example_is_whole_and_names_each_setting_once():
    keys = [item.key for item in parse_schema((FOLDER / ".env.example").read_text(encoding="utf-8"))]
    assert len(keys) > 100
    assert len(keys) == len(set(keys))
