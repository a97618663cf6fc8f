"""The settings of one stack, checked as a whole: every problem at once, each with what to type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import urlsplit

import yaml

from chatwoot_ops.model.backup_settings import backup_problems
from chatwoot_ops.model.remote import REMOTE_SETTINGS, half_set_remote, unusable_endpoint
from chatwoot_ops.model.schema import Secrecy, SettingDefinition
from chatwoot_ops.model.setting_types import wrong_with

OUR_PREFIXES = (
    "CHATWOOT_",
    "POSTGRES_",
    "REDIS_",
    "KGC_",
    "RAILS_MEMORY",
    "RAILS_CPU",
    "SIDEKIQ_",
    "COMPOSE_",
    "WAL_",
    "BACKUP_",
    "VERIFY_",
    "DRILL_",
    "PRUNE_",
    "RESTORE_",
)
ENCRYPTION_KEYS = (
    "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY",
    "ACTIVE_RECORD_ENCRYPTION_DETERMINISTIC_KEY",
    "ACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT",
)
PLACEHOLDERS = frozenset(
    {
        "replace_with_lengthy_secure_hex",
        "changeme",
        "change-me",
        "password",
        "secret",
        "chatwoot",
        "postgres",
        "redis",
    }
)
_READ_BY_COMPOSE_OR_CHATWOOT = frozenset({"CHATWOOT_HUB_URL", "CHATWOOT_ENV_FILE", "POSTGRES_DB", "DATABASE_URL"})
_RUBY_NUMBER = re.compile(r"[-+]?[0-9][0-9_,]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?")
_READ_BY_COMPOSE_PREFIXES = ("COMPOSE_", "CHATWOOT_FAKE_", "SIDEKIQ_ALIVE_")


@dataclass(frozen=True, slots=True)
class Settings:
    """The values a stack runs with: what `.env` says, and the schema's default where it is silent."""

    values: Mapping[str, str]
    schema: tuple[SettingDefinition, ...]

    @classmethod
    def merge(cls, schema: tuple[SettingDefinition, ...], given: Mapping[str, str]) -> Settings:
        """The given values over the schema's defaults; an empty value of a defaulted key counts as unset."""
        defaults = {item.key: item.default for item in schema if item.default is not None}
        chosen = {key: value for key, value in given.items() if value or not defaults.get(key)}
        return cls({**defaults, **chosen}, schema)

    def __getitem__(self, key: str) -> str:
        return self.values.get(key, "")

    def default(self, key: str) -> str:
        """What the schema gives a key that nobody set, "" for nothing."""
        return next((item.default or "" for item in self.schema if item.key == key), "")

    def secrets(self) -> dict[str, str]:
        """The secret values that are set, by name: what no output may ever contain."""
        names = {item.key for item in self.schema if item.secrecy is not Secrecy.NO}
        return {key: value for key, value in self.values.items() if key in names and value}


def problems_of(
    settings: Settings, given: Mapping[str, str], made_later: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Every problem of the values, as lines "KEY: what is wrong; what to type". Empty when they can work.

    `made_later` are keys that set-up is about to fill: their emptiness is no problem yet.
    """
    rules: tuple[Callable[[], Iterable[str]], ...] = (
        lambda: _unknown(settings, given),
        lambda: _missing(settings, made_later),
        lambda: _mistyped(settings),
        lambda: _placeholders(settings),
        lambda: _half_set_encryption(settings),
        lambda: _quoting(settings),
        lambda: _two_databases(given),
        lambda: _port_twice(settings),
        lambda: backup_problems(settings.values),
        lambda: half_set_remote(settings.values),
        lambda: unusable_endpoint(settings.values),
    )
    return tuple(problem for rule in rules for problem in rule())


def remote_problems(settings: Settings) -> tuple[str, ...]:
    """Every problem of the settings that lead to the off-site copies, for a machine that has no others yet."""
    ours = tuple(item for item in settings.schema if item.key in REMOTE_SETTINGS)
    wrong = (*half_set_remote(settings.values), *unusable_endpoint(settings.values))
    return (*_mistyped(Settings(settings.values, ours)), *wrong)


def _unknown(settings: Settings, given: Mapping[str, str]) -> Iterable[str]:
    known = {item.key for item in settings.schema}
    for key in given:
        ours = key.startswith(OUR_PREFIXES) and not key.startswith(_READ_BY_COMPOSE_PREFIXES)
        if key in known or key in _READ_BY_COMPOSE_OR_CHATWOOT or not ours:
            continue
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "take the line out"
        yield f"{key}: no such setting; {hint}"


def _missing(settings: Settings, made_later: frozenset[str]) -> Iterable[str]:
    # A half-set triple is said by its own rule: 'invoke secrets' would not fill it.
    said_elsewhere = frozenset(ENCRYPTION_KEYS) if any(settings[key] for key in ENCRYPTION_KEYS) else frozenset()
    for item in settings.schema:
        if item.needed and not settings[item.key] and item.key not in made_later | said_elsewhere:
            cure = (
                "type 'invoke secrets'" if item.secrecy is Secrecy.YES else f"write {item.key}={item.example or '...'}"
            )
            yield f"{item.key}: has no value; {cure}"


def _mistyped(settings: Settings) -> Iterable[str]:
    for item in settings.schema:
        value = settings[item.key]
        wrong = wrong_with(item.type, value) if value else ""
        if wrong:
            shown = "its value" if item.secrecy is not Secrecy.NO else f"'{value}'"
            yield f"{item.key}: {shown} {wrong}"


def _placeholders(settings: Settings) -> Iterable[str]:
    for key, value in settings.secrets().items():
        if value.lower() in PLACEHOLDERS:
            yield f"{key}: holds a placeholder that everybody knows; empty it and type 'invoke secrets'"


def _half_set_encryption(settings: Settings) -> Iterable[str]:
    # config/application.rb of Chatwoot encrypts only when all three are there (facts, 9.2).
    present = [key for key in ENCRYPTION_KEYS if settings[key]]
    if present and len(present) < len(ENCRYPTION_KEYS):
        lacking = ", ".join(key for key in ENCRYPTION_KEYS if key not in present)
        yield f"{lacking}: empty while {', '.join(present)} is set; all three or none, restore the missing ones"


def _quoting(settings: Settings) -> Iterable[str]:
    # config/database.yml puts these inside double quotes; config/cable.yml puts the password in bare (facts, 1.2).
    for key in ("POSTGRES_DATABASE", "POSTGRES_USERNAME", "POSTGRES_PASSWORD"):
        if set(settings[key]) & {'"', "\\"}:
            yield f"{key}: a double quote or backslash breaks Chatwoot's database.yml; use letters and digits"
    password = settings["REDIS_PASSWORD"]
    if password and _yaml_reads_otherwise(password):
        yield "REDIS_PASSWORD: Chatwoot's cable.yml reads it as something else; use letters and digits, a letter first"
    url = settings["DATABASE_URL"]
    if url and not urlsplit(url).netloc.rpartition(":")[2].isdecimal():
        yield "DATABASE_URL: has no port, which breaks the entrypoint's wait; write :5432 after the host"


def _yaml_reads_otherwise(value: str) -> bool:
    # Ruby's reader takes more for a number than PyYAML does (1,000 and 1e10), and :word for a symbol.
    if _RUBY_NUMBER.fullmatch(value) or value.startswith(":") or '"' in value:
        return True
    try:
        return bool(yaml.safe_load(f"password: {value}") != {"password": value})
    except yaml.YAMLError:
        return True


def _two_databases(given: Mapping[str, str]) -> Iterable[str]:
    name, other = given.get("POSTGRES_DATABASE", ""), given.get("POSTGRES_DB", "")
    if other and other != name:
        yield f"POSTGRES_DB: names '{other}' while POSTGRES_DATABASE names '{name}'; keep POSTGRES_DATABASE only"


def _port_twice(settings: Settings) -> Iterable[str]:
    seen: dict[str, str] = {}
    for key in ("CHATWOOT_PORT", "POSTGRES_HOST_PORT", "REDIS_HOST_PORT"):
        if settings[key] in seen:
            yield f"{key}: port {settings[key]} is also {seen[settings[key]]}; choose another"
        seen[settings[key]] = key
