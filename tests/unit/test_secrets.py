"""Secrets: filled where empty, never replaced, never shown."""

import re

import pytest
import yaml

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.check import Outcome
from chatwoot_ops.model.settings import ENCRYPTION_KEYS
from chatwoot_ops.operations.opening import Place, open_before_secrets, open_stack
from chatwoot_ops.operations.secrets import GENERATED, check_secrets, existing_or_example, fill_secrets, make_secret
from world import FOLDER, SECRETS, place_in

MADE_BY_CHATWOOT = ("KGC_WEBHOOK_SECRET", "CHATWOOT_API_KEY")


def values_of(place):
    return read_env_file(place.env_file).values


@pytest.mark.parametrize("length", [40, 96])
def test_a_secret_survives_yaml_shell_and_url(length):
    made = {make_secret(length) for _ in range(200)}
    assert len(made) == 200
    assert all(re.fullmatch(rf"[A-Za-z][A-Za-z0-9]{{{length - 1}}}", each) for each in made)
    assert all(yaml.safe_load(f"password: {each}") == {"password": each} for each in made)


def test_a_missing_file_is_made_from_the_example_with_all_secrets(tmp_path, host):
    place = Place(FOLDER, tmp_path / ".env")
    result = fill_secrets(place, host)
    assert result.filled == GENERATED
    assert place.env_file.stat().st_mode & 0o777 == 0o600
    made = [values_of(place)[name] for name in GENERATED]
    assert len(set(made)) == len(GENERATED)
    assert {len(each) for each in made} == {40, 96}
    open_stack(place)
    assert not [value for value in made if value in repr(result)]


def test_order_comments_and_unknown_lines_stay(tmp_path, host):
    place = place_in(tmp_path, REDIS_PASSWORD="")
    before = place.env_file.read_text() + "# mine\nMY_OWN=1\n"
    place.env_file.write_text(before)
    fill_secrets(place, host)
    filled = values_of(place)["REDIS_PASSWORD"]
    assert place.env_file.read_text().replace(filled, "") == before


def test_a_secret_that_is_set_is_never_replaced(tmp_path, host):
    place = place_in(tmp_path, REDIS_PASSWORD="", POSTGRES_PASSWORD="weak")
    assert fill_secrets(place, host).filled == ("REDIS_PASSWORD",)
    kept = {**SECRETS, "POSTGRES_PASSWORD": "weak"}
    assert {name: values_of(place)[name] for name in GENERATED if name != "REDIS_PASSWORD"} == {
        name: value for name, value in kept.items() if name != "REDIS_PASSWORD"
    }


def test_the_second_run_changes_nothing_and_leaves_no_trace(place, host):
    before = place.env_file.read_bytes()
    assert fill_secrets(place, host).filled == ()
    assert place.env_file.read_bytes() == before
    assert not (place.env_file.parent / "state").exists()


def test_rights_of_others_are_taken_away_even_where_nothing_is_empty(place, host):
    place.env_file.chmod(0o644)
    assert fill_secrets(place, host).filled == ()
    assert place.env_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("lost", [ENCRYPTION_KEYS[:1], ENCRYPTION_KEYS[1:]], ids=["one lost", "two lost"])
def test_a_half_set_triple_is_left_alone_and_refused_before_anything_is_touched(tmp_path, host, lost):
    place = place_in(tmp_path, REDIS_PASSWORD="", **dict.fromkeys(lost, ""))
    with pytest.raises(SettingsInvalidError) as caught:
        open_before_secrets(place, existing_or_example(place), GENERATED)
    assert [line for line in caught.value.details if "all three or none" in line]
    assert fill_secrets(place, host).filled == ("REDIS_PASSWORD",)
    assert not any(values_of(place)[key] for key in lost)


def test_what_only_chatwoot_can_make_is_left_alone(tmp_path, host):
    place = Place(FOLDER, tmp_path / ".env")
    assert not set(fill_secrets(place, host).filled) & set(MADE_BY_CHATWOOT)
    assert not any(values_of(place).get(name) for name in MADE_BY_CHATWOOT)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text + "REDIS_PASSWORD=\n",
        lambda text: text + "MINE='open\n",
    ],
    ids=["CRLF", "byte-order mark", "duplicate", "open quote"],
)
def test_a_damaged_file_is_kept_as_it_is_and_refused(tmp_path, host, damage):
    place = place_in(tmp_path, REDIS_PASSWORD="")
    place.env_file.write_text(damage(place.env_file.read_text()), newline="")
    before = place.env_file.read_bytes()
    with pytest.raises(SettingsInvalidError) as caught:
        fill_secrets(place, host)
    assert caught.value.details
    assert place.env_file.read_bytes() == before


@pytest.mark.parametrize(
    ("value", "outcome", "seen"),
    [
        (SECRETS["REDIS_PASSWORD"], Outcome.PASS, "set, 38 characters"),
        ("", Outcome.FAIL, "missing"),
        ("ChangeMe", Outcome.FAIL, "a placeholder that everybody knows"),
        ("abcdefghijklmno", Outcome.WARN, "weak: fewer than 16 characters, or too few different ones"),
        ("abababababababababababab", Outcome.WARN, "weak: fewer than 16 characters, or too few different ones"),
    ],
)
def test_check_says_what_is_wrong_with_a_secret_and_never_its_value(tmp_path, value, outcome, seen):
    checks = {check.name: check for check in check_secrets(place_in(tmp_path, REDIS_PASSWORD=value))}
    assert (checks["REDIS_PASSWORD"].outcome, checks["REDIS_PASSWORD"].seen) == (outcome, seen)
    assert len(checks) == 1 + len(GENERATED)
    assert not value or value not in repr(checks)


def test_check_says_that_a_lost_encryption_key_cannot_be_made_anew(tmp_path):
    checks = {check.name: check for check in check_secrets(place_in(tmp_path, **{ENCRYPTION_KEYS[0]: ""}))}
    assert checks[ENCRYPTION_KEYS[0]].remedy == "Restore it from a backup of .env"


def test_check_says_that_others_can_read_the_file(place):
    place.env_file.chmod(0o640)
    first = check_secrets(place)[0]
    assert (first.name, first.outcome, first.seen) == (".env", Outcome.FAIL, "others can read it (mode 0640)")


def test_check_needs_a_file_and_touches_none(tmp_path):
    with pytest.raises(SettingsInvalidError):
        check_secrets(Place(FOLDER, tmp_path / ".env"))
    assert list(tmp_path.iterdir()) == []
