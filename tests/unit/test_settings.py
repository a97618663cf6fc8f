"""Settings as a whole: every problem in one answer, each with what to type."""

import pytest

from chatwoot_ops.model.schema import parse_schema
from chatwoot_ops.model.setting_types import wrong_with
from chatwoot_ops.model.settings import ENCRYPTION_KEYS, Settings, problems_of
from world import FOLDER, SECRETS

SCHEMA = parse_schema((FOLDER / ".env.example").read_text(encoding="utf-8"))
PRIMARY, DETERMINISTIC, SALT = ENCRYPTION_KEYS
YAML = "REDIS_PASSWORD: Chatwoot's cable.yml reads it as something else; use letters and digits, a letter first"
QUOTED = "a double quote or backslash breaks Chatwoot's database.yml; use letters and digits"
KNOWN = "holds a placeholder that everybody knows; empty it and type 'invoke secrets'"


def problems(**changed):
    given = {**SECRETS, **changed}
    return problems_of(Settings.merge(SCHEMA, given), given)


@pytest.mark.parametrize(
    ("type_", "good", "bad", "says"),
    [
        ("port", "1 3002 65535", "0 65536 -1 http 3.5 ٣", "must be a port from 1 to 65535"),
        ("integer", "0 -5 100", "1.5 five 0x1", "must be a whole number"),
        ("boolean", "true false", "True yes 1 on", "must be true or false"),
        ("memory", "512m 2g 1.5g 256MB 100b 1G", "2 g2 two -1g 1t", "must be a size such as 512m or 2g"),
        ("cpus", "1 0.5 2", "two .5 1,5 -1", "must be a number of cores such as 2 or 0.5"),
        ("seconds", "30 0", "30s -1 1.5", "must be a whole number of seconds"),
        ("duration", "600s 14s 100ms 5min 1h 600", "600sec s 1d", "must be a time such as 14s or 600s"),
        ("count", "0 3 9999", "-1 10000 1.5 three", "must be a whole number from 0 to 9999"),
        ("age", "30s 90m 26h 35d", "26 h 1.5h -1d 26H 1w", "must be a time such as 30m, 26h or 35d"),
        ("address", "127.0.0.1 0.0.0.0 ::1", "localhost 127.0.0 1.2.3.256", "must be an IP address such as 127.0.0.1"),
        ("email", "a@b.example Ada<ada@b.example>", "ada ada@ a@b@c", "must be an e-mail address"),
        ("host", "smtp.kgc.example localhost 10.0.0.1", "https://a a_b -a a/", "must be a host name"),
        ("name", "kgc-network a_b.c A1", "-a a/b", "must be letters, digits, dots, dashes and underscores"),
        ("choice(a|b)", "a b", "c a|b A", "must be one of a, b"),
        ("text", "anything x", "", ""),
        ("presence", "false true", "", ""),
        ("path", "/etc/x", "", ""),
        (
            "image",
            "redis:7-alpine r.example:5000/a/b:v1@sha256:0 sha256:0",
            ":latest /a",
            "must be an image such as chatwoot/chatwoot:v4.15.1-ce",
        ),
    ],
)
def test_a_type_accepts_its_values_and_says_what_it_wants(type_, good, bad, says):
    assert {wrong_with(type_, value) for value in good.split()} == {""}
    assert {wrong_with(type_, value) for value in bad.split()} <= {says}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("https://a.example", ""),
        ("http://localhost:3002", ""),
        ("https://a.example/path", ""),
        ("https://a.example/", "must not end in a slash"),
        ("a.example", "must be a URL with its scheme, such as https://support.example.com"),
        ("//a.example", "must be a URL with its scheme, such as https://support.example.com"),
        ("https://", "must be a URL with its scheme, such as https://support.example.com"),
        ("http://[::1", "must be a URL with its scheme, such as https://support.example.com"),
        ("ftp://a.example", "must be a URL with its scheme, such as https://support.example.com"),
        ("http://localhost:port", "must be a URL with its scheme, such as https://support.example.com"),
    ],
)
def test_a_url_has_a_scheme_and_no_slash_at_its_end(value, says):
    assert wrong_with("url", value) == says


def test_a_whole_set_of_settings_has_no_problem():
    assert problems() == ()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"CHATWOOT_PROT": "3002"}, "CHATWOOT_PROT: no such setting; did you mean CHATWOOT_PORT?"),
        ({"KGC_Q": "1"}, "KGC_Q: no such setting; take the line out"),
        ({"POSTGRES_PASSWORD": ""}, "POSTGRES_PASSWORD: has no value; type 'invoke secrets'"),
        ({"CHATWOOT_PORT": "web"}, "CHATWOOT_PORT: 'web' must be a port from 1 to 65535"),
        ({"FRONTEND_URL": "a.example"}, ("FRONTEND_URL: 'a.example' must be a URL with its scheme, such as "
         "https://support.example.com")),
        ({"FRONTEND_URL": "https://a.example/"}, "FRONTEND_URL: 'https://a.example/' must not end in a slash"),
        ({"SECRET_KEY_BASE": "Replace_With_Lengthy_Secure_Hex"}, f"SECRET_KEY_BASE: {KNOWN}"),
        ({"REDIS_PASSWORD": "changeme"}, f"REDIS_PASSWORD: {KNOWN}"),
        ({"POSTGRES_PASSWORD": 'a"b' * 9}, f"POSTGRES_PASSWORD: {QUOTED}"),
        ({"POSTGRES_USERNAME": "a\\b"}, f"POSTGRES_USERNAME: {QUOTED}"),
        ({"POSTGRES_DATABASE": 'a"b'}, f"POSTGRES_DATABASE: {QUOTED}"),
        ({"REDIS_PASSWORD": "12345678901234567890"}, YAML),
        ({"REDIS_PASSWORD": "1e10"}, YAML),
        ({"REDIS_PASSWORD": "1,000,000"}, YAML),
        ({"REDIS_PASSWORD": ":symbol"}, YAML),
        ({"REDIS_PASSWORD": "0x1234567890abcdef"}, YAML),
        ({"REDIS_PASSWORD": "true"}, YAML),
        ({"REDIS_PASSWORD": "no"}, YAML),
        ({"REDIS_PASSWORD": "null"}, YAML),
        ({"REDIS_PASSWORD": "2026-11-24"}, YAML),
        ({"REDIS_PASSWORD": "abc #def"}, YAML),
        ({"REDIS_PASSWORD": "abc: def"}, YAML),
        ({"REDIS_PASSWORD": "[abc"}, YAML),
        ({"REDIS_PASSWORD": 'abc"def'}, YAML),
        ({"DATABASE_URL": "postgres://u:p@db/x"}, ("DATABASE_URL: has no port, which breaks the entrypoint's wait; "
         "write :5432 after the host")),
        ({"POSTGRES_DB": "other"}, ("POSTGRES_DB: names 'other' while POSTGRES_DATABASE names 'chatwoot_production'; "
         "keep POSTGRES_DATABASE only")),
        ({"CHATWOOT_PORT": "5435"}, "POSTGRES_HOST_PORT: port 5435 is also CHATWOOT_PORT; choose another"),
    ],
    ids=lambda value: " ".join(map("=".join, value.items())) if isinstance(value, dict) else "",
)  # fmt: skip
def test_each_problem_is_said_with_what_to_type(changed, says):
    given = {"POSTGRES_DATABASE": "chatwoot_production", **changed}
    assert problems(**given) == (says,)


@pytest.mark.parametrize("missing", ENCRYPTION_KEYS)
def test_a_half_set_triple_of_encryption_keys_names_what_lacks(missing):
    found = problems(**{missing: ""})
    lacking, *others = [key for key in ENCRYPTION_KEYS if key == missing], *[k for k in ENCRYPTION_KEYS if k != missing]
    assert f"{lacking[0]}: empty while {', '.join(others)} is set; all three or none, restore the missing ones" in found
    assert not [line for line in found if "invoke secrets" in line]


@pytest.mark.parametrize("keep", [1, 0])
def test_an_empty_triple_is_only_missing_never_half_set(keep):
    found = problems(**dict.fromkeys(ENCRYPTION_KEYS[keep:], ""))
    assert any("all three or none" in line for line in found) == bool(keep)


def test_all_problems_come_in_one_answer():
    found = problems(CHATWOOT_PORT="web", FRONTEND_URL="a", REDIS_PASSWORD="123", KGC_Q="1", POSTGRES_PASSWORD="")
    assert {line.partition(":")[0] for line in found} == {
        "CHATWOOT_PORT",
        "FRONTEND_URL",
        "REDIS_PASSWORD",
        "KGC_Q",
        "POSTGRES_PASSWORD",
    }


@pytest.mark.parametrize("key", ["COMPOSE_PROFILES", "CHATWOOT_FAKE_BOOT_SECONDS", "SOMETHING_ELSE", "PATH"])
def test_what_is_not_ours_is_left_alone(key):
    assert problems(**{key: "1"}) == ()


def test_a_problem_never_holds_a_secrets_value():
    secret = "leaky-value-1234"
    keys = [item.key for item in SCHEMA if item.secrecy.value != "no"]
    for key in keys:
        assert not [line for line in problems(**{key: f'{secret}"\\'}) if secret in line]


def test_an_empty_value_of_a_setting_with_a_default_counts_as_unset():
    assert Settings.merge(SCHEMA, {"CHATWOOT_PORT": ""})["CHATWOOT_PORT"] == "3002"


def test_a_setting_nobody_knows_is_empty_and_one_given_wins():
    settings = Settings.merge(SCHEMA, {"CHATWOOT_PORT": "1"})
    assert (settings["CHATWOOT_PORT"], settings["NEVER"]) == ("1", "")


def test_secrets_are_those_that_are_set_and_only_those():
    assert Settings.merge(SCHEMA, SECRETS).secrets() == SECRETS


def test_what_set_up_will_make_is_no_problem_yet_but_a_lost_encryption_key_is():
    given = {**SECRETS, "POSTGRES_PASSWORD": "", PRIMARY: ""}
    later = frozenset({"POSTGRES_PASSWORD", PRIMARY})
    found = problems_of(Settings.merge(SCHEMA, given), given, later)
    assert [line.partition(":")[0] for line in found] == [PRIMARY]
