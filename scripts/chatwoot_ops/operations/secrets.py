"""Fills the secrets that are empty, and says which are missing, weak or known to everybody."""

from __future__ import annotations

import secrets as randomness
import string
from dataclasses import dataclass

from chatwoot_ops.adapters.env_file import EnvFile, read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.check import Check, failed, passed, warned
from chatwoot_ops.model.schema import Secrecy
from chatwoot_ops.model.settings import ENCRYPTION_KEYS, PLACEHOLDERS, Settings
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.opening import Place, unchecked_stack

GENERATED = (
    "SECRET_KEY_BASE",
    "POSTGRES_PASSWORD",
    "POSTGRES_SUPERUSER_PASSWORD",
    "REDIS_PASSWORD",
    *ENCRYPTION_KEYS,
    "RAILS_INBOUND_EMAIL_PASSWORD",
)
LENGTHS = {"SECRET_KEY_BASE": 96}
LENGTH = 40
OTHERS = 0o077
_WEAK_BELOW = 16


@dataclass(frozen=True, slots=True)
class SecretsFilled:
    """Names of the secrets that were made now; never their values."""

    filled: tuple[str, ...]
    path: str


def make_secret(length: int) -> str:
    """A letter, then letters and digits: what YAML, shells, URLs and sed all leave alone (facts, 1.2)."""
    alphabet = string.ascii_letters + string.digits
    return randomness.choice(string.ascii_letters) + "".join(randomness.choice(alphabet) for _ in range(length - 1))


def fill_secrets(place: Place, host: Host) -> SecretsFilled:
    """Makes `.env` from the example where it is missing, then fills each empty secret; never replaces one.

    Raises SettingsInvalidError for a file that Compose and this tool would not read alike: writing into it could
    leave a secret that only one of them sees.
    """
    file = existing_or_example(place)
    if file.damage:
        remedy = f"Correct {place.env_file}, then run this again. Nothing was changed."
        raise SettingsInvalidError("The settings file cannot be read reliably", details=file.damage, remedy=remedy)
    if place.env_file.exists() and not _empty_secrets(file) and not file.mode & OTHERS:
        return SecretsFilled((), str(place.env_file))
    with changing(unchecked_stack(place, file), host, "secrets") as change:
        return SecretsFilled(fill(place, change), str(place.env_file))


def fill(place: Place, change: Change) -> tuple[str, ...]:
    """The same inside an operation that holds the lock already; returns the names that were filled.

    A half-set triple of encryption keys is left alone: making the rest anew would hide that the old ones are lost.
    """
    file = existing_or_example(place)
    made = made_secrets(file)
    empty = tuple(made)
    if empty or not place.env_file.exists() or file.mode & OTHERS:
        change.step("write-secrets", "Filling the empty secrets", names=list(empty))
        write_env_file(place.env_file, with_values(file.text, made))
    return empty


def made_secrets(file: EnvFile) -> dict[str, str]:
    """A new value for each secret that is empty in the file."""
    return {name: make_secret(LENGTHS.get(name, LENGTH)) for name in _empty_secrets(file)}


def existing_or_example(place: Place) -> EnvFile:
    """The settings file as it is, or as it would be made from the example."""
    return read_env_file(place.env_file if place.env_file.exists() else place.example)


def _empty_secrets(file: EnvFile) -> tuple[str, ...]:
    half_set = any(file.values.get(key) for key in ENCRYPTION_KEYS)
    empty = (name for name in GENERATED if not file.values.get(name))
    return tuple(name for name in empty if not (half_set and name in ENCRYPTION_KEYS))


def check_secrets(place: Place) -> tuple[Check, ...]:
    """One check for the file and one for each secret that set-up needs; looks and never touches."""
    file = read_env_file(place.env_file)
    settings = Settings.merge(place.schema(), file.values)
    readable = bool(file.mode & OTHERS)
    mode = f"mode {file.mode:04o}"
    first = (
        failed(place.env_file.name, f"others can read it ({mode})", f"chmod 600 {place.env_file}")
        if readable
        else passed(place.env_file.name, mode)
    )
    needed = [
        item.key for item in settings.schema if item.secrecy is Secrecy.YES and (item.needed or item.key in GENERATED)
    ]
    half_set = any(settings[key] for key in ENCRYPTION_KEYS)
    return (first, *(_check(key, settings[key], lost=half_set and key in ENCRYPTION_KEYS) for key in needed))


def _check(key: str, value: str, *, lost: bool) -> Check:
    if not value and lost:
        return failed(key, "missing while the others of its triple are set", "Restore it from a backup of .env")
    if not value:
        return failed(key, "missing", "Type 'invoke secrets'")
    if value.lower() in PLACEHOLDERS:
        return failed(key, "a placeholder that everybody knows", "Empty it, then type 'invoke secrets'")
    if len(value) < _WEAK_BELOW or len(set(value)) < _WEAK_BELOW // 2:
        return warned(
            key,
            f"weak: fewer than {_WEAK_BELOW} characters, or too few different ones",
            "See docs/how-to/configure.md",
        )
    return passed(key, f"set, {len(value)} characters")
