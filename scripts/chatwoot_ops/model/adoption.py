"""What a foreign `.env` becomes here: which of its settings are carried over, and which this stack makes its own.

Names are those of upstream's `.env.example` and of what its installer writes on a virtual machine; both are the same
Chatwoot's own variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatwoot_ops.model.check import Check, failed, passed, warned
from chatwoot_ops.model.schema import Secrecy, SettingDefinition
from chatwoot_ops.model.settings import ENCRYPTION_KEYS, OUR_PREFIXES, Settings, problems_of

# The compose file sets these itself, for its own services, so that a value from elsewhere would lead elsewhere.
REPLACED = frozenset(
    {
        "DATABASE_URL", "INSTALLATION_ENV", "LOG_SIZE", "NODE_ENV", "PORT", "POSTGRES_DB", "POSTGRES_HOST",
        "POSTGRES_PORT", "POSTGRES_USER", "RAILS_ENV", "RAILS_LOG_TO_STDOUT", "RAILS_SERVE_STATIC_FILES",
        "REDIS_OPENSSL_VERIFY_MODE", "REDIS_SENTINELS", "REDIS_SENTINEL_MASTER_NAME", "REDIS_SENTINEL_PASSWORD",
        "REDIS_URL",
    }
)  # fmt: skip
# This stack has a database and a Redis of its own: their names and passwords are made anew, nobody outside has them.
OWN = frozenset(
    {
        "POSTGRES_DATABASE", "POSTGRES_USERNAME", "POSTGRES_PASSWORD", "POSTGRES_SUPERUSER",
        "POSTGRES_SUPERUSER_PASSWORD", "REDIS_PASSWORD",
    }
)  # fmt: skip
_GROUPS_OF_OURS = frozenset({"Stack", "Backup"})
_REMEDY = "Correct it in the file that --env names (or a copy of it), then run this again"


@dataclass(frozen=True, slots=True)
class Carried:
    """The settings of a foreign `.env` for this stack, and the names of those that it does not take over."""

    values: Mapping[str, str] = field(repr=False)
    replaced: tuple[str, ...]
    unknown: tuple[str, ...]
    left_out: tuple[str, ...]


def carried_over(schema: tuple[SettingDefinition, ...], given: Mapping[str, str]) -> Carried:
    """What of the given values this stack runs with. What it does not know and Chatwoot may read goes along."""
    groups = {item.key: item.group for item in schema}
    filled = {key: value for key, value in given.items() if value}
    replaced = tuple(sorted(key for key in filled if key in REPLACED | OWN))
    ours = tuple(key for key in filled if key not in REPLACED | OWN and _is_ours(key, groups))
    values = {key: value for key, value in filled.items() if key not in {*replaced, *ours}}
    if "FRONTEND_URL" in values:
        values["FRONTEND_URL"] = values["FRONTEND_URL"].rstrip("/")
    return Carried(values, replaced, tuple(sorted(set(values) - set(groups))), tuple(sorted(ours)))


def _is_ours(key: str, groups: Mapping[str, str]) -> bool:
    # A name in one of our families that the schema does not have would be refused as a mistake.
    return groups[key] in _GROUPS_OF_OURS if key in groups else key.startswith(OUR_PREFIXES)


def written(value: str) -> str:
    """The value as a line of `.env` holds it: in single quotes where Compose and we would read it otherwise."""
    plain = value == value.strip() and not set(value) & set("$#'\"\\\n")
    return value if plain else f"'{value}'"


def setting_checks(settings: Settings, carried: Carried, made_later: frozenset[str]) -> tuple[Check, ...]:
    """One check for each problem of the settings as they would be, and for each group of names that change hands."""
    problems = problems_of(settings, carried.values, made_later)
    return (
        *_missing(carried.values),
        *(
            failed("settings", problem, _REMEDY)
            for problem in problems
            if not problem.startswith("SECRET_KEY_BASE: has")
        ),
        *(failed("settings", f"{key}: holds a quote or a line end", _REMEDY) for key in _unwritable(carried.values)),
        passed("settings taken over", ", ".join(sorted(carried.values)) or "none"),
        passed("settings made anew here", ", ".join(carried.replaced) or "none"),
        *_told("settings not known here", carried.unknown, "They go along as they are; Chatwoot may read them"),
        *_told("settings left out", carried.left_out, "They name parts of a stack, and this stack has its own"),
    )


def _told(name: str, keys: tuple[str, ...], remedy: str) -> tuple[Check, ...]:
    return (warned(name, ", ".join(keys), remedy),) if keys else ()


def _missing(values: Mapping[str, str]) -> tuple[Check, ...]:
    if not values.get("SECRET_KEY_BASE"):
        seen = "is not there; with another one all links to attachments that were ever sent break"
        return (failed("SECRET_KEY_BASE", seen, _REMEDY),)
    if not any(values.get(key) for key in ENCRYPTION_KEYS):
        # Chatwoot goes on reading rows in clear when keys are added (facts, 9.2).
        remedy = "New keys are made; rows written from then on are encrypted, the others stay readable"
        return (warned("encryption keys", "there are none", remedy),)
    return ()


def _unwritable(values: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(key for key, value in values.items() if written(value) != value and set(value) & set("'\\\n"))


def secrets_of(schema: tuple[SettingDefinition, ...], given: Mapping[str, str]) -> tuple[str, ...]:
    """Every value that no output may hold: those of secret settings, and of names that sound like one."""
    known = {item.key: item.secrecy is not Secrecy.NO for item in schema}
    sounds = ("PASSWORD", "SECRET", "TOKEN", "_KEY", "DATABASE_URL", "REDIS_URL", "CREDENTIALS", "_DSN")
    return tuple(value for key, value in given.items() if value and known.get(key, any(part in key for part in sounds)))
