"""To whom sets are encrypted, and who opens one: a private key that comes by file or is typed, never by argument."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.adapters import age
from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.backup_store import artifact_problem
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import BackupSetInvalidError, SettingsInvalidError
from chatwoot_ops.model.backup_set import BackupSet, Encryption
from chatwoot_ops.model.backup_settings import ENCRYPT, EVERYTHING, RECIPIENTS, recipients_in
from chatwoot_ops.model.stack import Stack

PROMPT = "-"
_UNTOUCHED = "Nothing was changed."


def encryption_of(stack: Stack) -> Encryption:
    """To whom the next set is encrypted.

    Raises SettingsInvalidError where all of it should be and nobody is named: it is never written in clear then.
    """
    recipients = recipients_in(stack.settings.values)
    whole = stack.settings[ENCRYPT] == EVERYTHING
    if whole and not recipients:
        remedy = f"Type 'invoke backup.keys --to FILE --add', or set {ENCRYPT}=settings."
        raise SettingsInvalidError(f"{ENCRYPT} is {EVERYTHING} and {RECIPIENTS} is empty", remedy=remedy)
    return Encryption(recipients, whole)


def identity_of(host: Host, given: str) -> Identity | None:
    """The private key in a file, or typed where `given` is "-"; None where none is given.

    No output shows it from now on. Raises BackupSetInvalidError when there is none in it, or when nobody can be asked.
    """
    if not given:
        return None
    if given.upper().startswith("AGE-SECRET-KEY"):
        remedy = (
            "Whoever lists the processes or reads the shell's history has it now: make a new pair, and name a file."
        )
        raise BackupSetInvalidError("A private key was given on the command line", remedy=remedy)
    if given != PROMPT:
        return _masked(host, age.identity_file(Path(given)))
    identity = ask_key(host)
    if identity is None:
        raise BackupSetInvalidError("Nobody could be asked for the private key", remedy="Give it with --identity FILE.")
    return identity


def ask_key(host: Host) -> Identity | None:
    """A private key that is typed at the terminal, where it is not shown; None where there is none.

    Raises BackupSetInvalidError when that was no private key.
    """
    typed = host.reporter.ask("Private key (AGE-SECRET-KEY-1..., it is not shown)", secret=True)
    return None if typed is None else _masked(host, age.identity_in(typed, "What was typed"))


def _masked(host: Host, identity: Identity) -> Identity:
    host.processes.secrets = (*host.processes.secrets, *identity.keys)
    return identity


def identity_for(host: Host, backup_set: BackupSet, given: str) -> Identity | None:
    """The private key that a restore of this set works with, proved on the set.

    A set that is encrypted as a whole cannot do without: it is asked for then. None where the set needs none.
    Raises BackupSetInvalidError naming the public keys to one of which it would have to belong.
    """
    needed = backup_set.manifest.encryption.whole
    try:
        identity = identity_of(host, given or (PROMPT if needed else ""))
    except BackupSetInvalidError as error:
        if not needed:
            raise
        details = (*error.details, *_openers(backup_set))
        remedy = f"The set {backup_set.manifest.name} is encrypted: give its private key with --identity FILE. "
        raise BackupSetInvalidError(error.message, details=details, remedy=remedy + _UNTOUCHED) from error
    if identity is not None and backup_set.encrypted_artifacts:
        opener_of_set(backup_set, identity)
    return identity


def opener_of_set(backup_set: BackupSet, identity: Identity) -> str:
    """The public half of the key that opens this set.

    It is tried on the smallest artifact. Raises BackupSetInvalidError naming the public keys that would open it, or
    the artifact where that is damaged.
    """
    folder, smallest = Path(backup_set.path), min(backup_set.encrypted_artifacts, key=lambda each: each.size)
    problem = artifact_problem(folder, smallest)
    if problem:
        # Damaged, it opens with no key, and the right one would be called wrong.
        name = backup_set.manifest.name
        raise BackupSetInvalidError(f"The set {name} is damaged", details=(problem,), remedy=_UNTOUCHED)
    opener = age.opener_of(folder / smallest.name, identity)
    if not opener:
        text = f"{identity.where} does not open the set {backup_set.manifest.name}"
        remedy = f"Give the private key of one of these public keys with --identity FILE. {_UNTOUCHED}"
        raise BackupSetInvalidError(text, details=_openers(backup_set), remedy=remedy)
    return opener


def _openers(backup_set: BackupSet) -> tuple[str, ...]:
    return tuple(f"encrypted to {each}" for each in backup_set.manifest.encryption.recipients)
