"""Settings that come with a restore: the whole `.env` on an empty machine, the keys of a set made with others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from chatwoot_ops.adapters import age
from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.backup_store import BackupStore
from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.files import ensure_private_folder, write_atomically
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import SETTINGS_ARTIFACT
from chatwoot_ops.model.encrypted import FINGERPRINTED
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.encryption import ask_key, identity_for, opener_of_set
from chatwoot_ops.operations.opening import Place

# An upgrade's copy is kept for a rollback, through restores that fail in between.
BEFORE_RESTORE, BEFORE_UPGRADE = "env-before-restore", "env-before-upgrade"


@dataclass(frozen=True, slots=True)
class Given:
    """Where the operator says that settings are: a set and the private key that opens it, or a plain file."""

    set_name: str = ""
    identity: Identity | None = None
    settings: str = ""


def given_settings(given: Given, folder: Path) -> str:
    """The text of the settings that were given, "" where none were.

    Raises BackupSetInvalidError when the file cannot be read, the set holds none, or the key is the wrong one.
    """
    if given.settings:
        try:
            return Path(given.settings).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise BackupSetInvalidError(f"{given.settings} cannot be read: {why}") from error
    if given.identity is None:
        return ""
    found = BackupStore(folder).find(given.set_name)
    sealed = Path(found.path) / SETTINGS_ARTIFACT
    if not (found.encrypted_artifacts and sealed.is_file()):
        raise BackupSetInvalidError("The set holds no settings", remedy="Give them with --settings FILE.")
    opener_of_set(found, given.identity)
    return age.unseal(sealed.read_bytes(), given.identity).decode()


def bring_settings(place: Place, host: Host, given: Given, *, ask: bool) -> Identity | None:
    """On an empty machine: writes `.env` from what was given; returns the private key that it opened them with.

    With `ask` a key that was not given is asked for at a terminal, where the set has settings to open.
    """
    if place.env_file.exists():
        return None
    folder = place.env_file.parent / "backups"
    identity = given.identity or (_typed_for(BackupStore(folder), host, given) if ask else None)
    text = given_settings(replace(given, identity=identity), folder)
    if text:
        write_env_file(place.env_file, text)
    return identity


def _typed_for(store: BackupStore, host: Host, given: Given) -> Identity | None:
    if given.settings:
        return None
    try:
        found = store.find(given.set_name)
    except BackupSetInvalidError:
        # That there are no settings is said first.
        return None
    if found.manifest.encryption.whole:
        return identity_for(host, found, "")
    return ask_key(host) if found.encrypted_artifacts else None


def keys_given(stack: Stack, given: Given) -> dict[str, str]:
    """The keys in the given settings that differ from the stack's own."""
    text = given_settings(given, stack.backup_folder)
    if not text:
        return {}
    values = read_text_values(text)
    return {name: values[name] for name in FINGERPRINTED if values.get(name) and values[name] != stack.settings[name]}


def read_text_values(text: str) -> dict[str, str]:
    """The values of a settings text."""
    return {key: value or "" for key, value in dotenv_values(stream=StringIO(text), interpolate=False).items()}


def save_settings(stack: Stack, name: str) -> None:
    """Keeps `.env` as it is, for the way back."""
    ensure_private_folder(stack.state_folder)
    write_atomically(stack.state_folder / name, read_env_file(stack.env_file).text)


def write_keys(stack: Stack, keys: dict[str, str]) -> None:
    """Puts the keys of the restored data into `.env`."""
    write_env_file(stack.env_file, with_values(read_env_file(stack.env_file).text, keys))


def put_settings_back(stack: Stack, name: str) -> None:
    """`.env` as it was kept, where it was."""
    saved = stack.state_folder / name
    if saved.is_file():
        write_env_file(stack.env_file, saved.read_text(encoding="utf-8"))


def drop_saved(stack: Stack, name: str) -> None:
    """Takes the kept copy away: it holds secrets."""
    (stack.state_folder / name).unlink(missing_ok=True)


def with_keys(stack: Stack, keys: dict[str, str]) -> Stack:
    """The stack as it will be with these keys."""
    return replace(stack, settings=Settings({**stack.settings.values, **keys}, stack.settings.schema))
