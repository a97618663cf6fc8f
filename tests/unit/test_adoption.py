"""What a foreign `.env` becomes here."""

import pytest

from chatwoot_ops.model.adoption import Carried, carried_over, secrets_of, setting_checks, written
from chatwoot_ops.model.check import failures
from chatwoot_ops.model.schema import parse_schema
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.operations.secrets import GENERATED
from world import FOLDER

SCHEMA = parse_schema((FOLDER / ".env.example").read_text(encoding="utf-8"))
KEYS = {name: f"{name.lower()}0123456789abcdef" for name in GENERATED if name.startswith("ACTIVE")}
FOREIGN = {
    "SECRET_KEY_BASE": "x" * 20 + "0123456789abcdefghij",
    **KEYS,
    "FRONTEND_URL": "https://chat.kgc.example/",
    "POSTGRES_HOST": "postgres",
    "POSTGRES_USERNAME": "postgres",
    "POSTGRES_PASSWORD": "theirs-theirs-theirs",
    "REDIS_URL": "redis://redis:6379",
    "REDIS_PASSWORD": "theirs-too-theirs",
    "REDIS_SENTINELS": "",
    "RAILS_ENV": "development",
    "MAILER_SENDER_EMAIL": "Chatwoot <accounts@kgc.example>",
    "FB_APP_SECRET": "of-facebook-0123",
    "REDIS_ALFRED_SIZE": "7",
    "COMPOSE_PROJECT_NAME": "theirs",
    "BACKUP_FOLDER": "elsewhere",
    "POSTGRES_TUNING": "much",
}


def checks(given, **how):
    carried = carried_over(SCHEMA, {**FOREIGN, **given})
    values = {key: value for key, value in carried.values.items() if key not in how.get("without", ())}
    whole = Carried(values, carried.replaced, carried.unknown, carried.left_out)
    made = frozenset(key for key in GENERATED if not values.get(key))
    return setting_checks(Settings.merge(SCHEMA, values), whole, made)


def test_keys_and_chatwoots_own_settings_are_taken_over():
    carried = carried_over(SCHEMA, FOREIGN)
    kept = ("SECRET_KEY_BASE", *KEYS, "MAILER_SENDER_EMAIL", "REDIS_ALFRED_SIZE")
    assert {key: carried.values[key] for key in kept} == {key: FOREIGN[key] for key in kept}
    assert carried.values["FRONTEND_URL"] == "https://chat.kgc.example"


def test_what_names_parts_of_a_stack_is_not():
    carried = carried_over(SCHEMA, FOREIGN)
    assert carried.left_out == ("BACKUP_FOLDER", "COMPOSE_PROJECT_NAME", "POSTGRES_TUNING")
    assert set(carried.replaced) == {
        "POSTGRES_HOST",
        "POSTGRES_PASSWORD",
        "POSTGRES_USERNAME",
        "RAILS_ENV",
        "REDIS_PASSWORD",
        "REDIS_URL",
    }
    assert not set(carried.values) & {*carried.left_out, *carried.replaced, "REDIS_SENTINELS"}


def test_a_name_that_is_not_known_here_goes_along_and_is_said():
    assert carried_over(SCHEMA, FOREIGN).unknown == ("FB_APP_SECRET",)
    said = {check.name: check for check in checks({})}
    assert said["settings not known here"].seen == "FB_APP_SECRET"
    assert said["settings left out"].outcome.value == "warn"


def test_settings_that_can_work_have_no_failed_check():
    assert failures(checks({})) == ()


@pytest.mark.parametrize(
    ("given", "without", "name", "seen"),
    [
        ({}, ("SECRET_KEY_BASE",), "SECRET_KEY_BASE", "links to attachments"),
        ({"SMTP_PORT": "many"}, (), "settings", "SMTP_PORT"),
        ({"SECRET_KEY_BASE": "replace_with_lengthy_secure_hex"}, (), "settings", "placeholder"),
        ({next(iter(KEYS)): ""}, (), "settings", "all three or none"),
        ({"SMTP_PASSWORD": "it's"}, (), "settings", "SMTP_PASSWORD: holds a quote"),
    ],
)
def test_what_could_not_work_here_is_failed_and_named(given, without, name, seen):
    bad = failures(checks(given, without=without))
    assert [each.name for each in bad] == [name]
    assert seen in bad[0].seen


def test_a_source_without_encryption_keys_gets_new_ones_and_is_told():
    found = checks(dict.fromkeys(KEYS, ""))
    assert failures(found) == ()
    assert "New keys are made" in next(check.remedy for check in found if check.name == "encryption keys")


def test_no_check_holds_a_value_of_a_secret():
    said = " ".join(f"{check.seen} {check.remedy}" for check in checks({"SMTP_PORT": "many"}))
    assert not [value for value in secrets_of(SCHEMA, FOREIGN) if value in said]


def test_secrets_are_known_by_the_schema_or_by_their_names():
    assert set(secrets_of(SCHEMA, FOREIGN)) == {
        FOREIGN[key]
        for key in ("SECRET_KEY_BASE", *KEYS, "POSTGRES_PASSWORD", "REDIS_PASSWORD", "REDIS_URL", "FB_APP_SECRET")
    }


@pytest.mark.parametrize(
    ("value", "line"), [("plain <a@b.example>", "plain <a@b.example>"), ("a$b", "'a$b'"), ("a #b", "'a #b'")]
)
def test_a_value_that_compose_would_read_otherwise_is_quoted(value, line):
    assert written(value) == line
