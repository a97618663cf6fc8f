"""The proof that a private key which is kept elsewhere opens a set: read to the end, and its settings looked into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters import age
from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.backup_store import checksum_problems
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_lock import reading
from chatwoot_ops.adapters.set_notes import mark_proved
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import SETTINGS_ARTIFACT, BackupSet
from chatwoot_ops.model.backup_settings import RECIPIENTS, recipients_in
from chatwoot_ops.model.check import Check, Outcome, passed, warned
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.encrypted_sets import closed_problems
from chatwoot_ops.operations.encryption import PROMPT, identity_of, opener_of_set
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.restore_settings import read_text_values
from chatwoot_ops.operations.secrets import existing_or_example

CHECK = "backup keys"


@dataclass(frozen=True, slots=True)
class KeyProved:
    """A private key (by its public half) that opened all of a set now, how many bytes that were, and where it is."""

    set: str
    key: str
    size: int
    at: str


def prove_key(place: Place, host: Host, name: str, given: str) -> KeyProved:
    """Opens everything encrypted in a set with the private key, to the end, and notes that in the set.

    It needs no `.env`, so that it can be done where the key is kept, on a copy of the set.

    Raises BackupSetInvalidError when the key is the wrong one, or the set is damaged or holds nothing encrypted.
    """
    stack = unchecked_stack(place, existing_or_example(place))
    backup_set = store_of(stack).find(name)
    with reading(backup_set):
        return _prove(host, backup_set, given)


def _prove(host: Host, backup_set: BackupSet, given: str) -> KeyProved:
    title = backup_set.manifest.name
    if not backup_set.encrypted_artifacts:
        remedy = f"Set {RECIPIENTS} ('invoke backup.keys --to FILE --add'), then take a set."
        raise BackupSetInvalidError(f"Nothing in the set {title} is encrypted", remedy=remedy)
    identity = identity_of(host, given or PROMPT)
    if identity is None:
        raise BackupSetInvalidError("There is no private key to prove")
    opener = opener_of_set(backup_set, identity)
    host.reporter.step(f"Opening {title} to its end")
    problems = checksum_problems(backup_set) or closed_problems(backup_set, identity)
    problems = problems or _settings_problems(backup_set, identity)
    if problems:
        raise BackupSetInvalidError(
            f"The set {title} does not open whole", details=problems, remedy="Take another set."
        )
    at = host.clock.stamp()
    mark_proved(backup_set, at, opener)
    return KeyProved(title, opener, sum(each.size for each in backup_set.encrypted_artifacts), at)


def _settings_problems(backup_set: BackupSet, identity: Identity) -> tuple[str, ...]:
    """Whether the settings inside hold the keys that the manifest promises."""
    text = age.unseal((Path(backup_set.path) / SETTINGS_ARTIFACT).read_bytes(), identity).decode(errors="replace")
    manifest = backup_set.manifest
    found = fingerprints(read_text_values(text), manifest.instance)
    return tuple(
        f"{SETTINGS_ARTIFACT}: {name} is not the one that the set needs"
        for name, wanted in manifest.fingerprints.items()
        if found.get(name) != wanted
    )


def recipients_check(stack: Stack) -> Check:
    """Whether sets are encrypted to anybody, and when a private key last proved itself on one."""
    recipients = recipients_in(stack.settings.values)
    if not recipients:
        return Check(CHECK, Outcome.NOT_CONFIGURED, f"{RECIPIENTS} is empty: sets hold no settings and keys")
    proofs = [each for each in store_of(stack).sets() if each.proved_key in recipients]
    if not proofs:
        remedy = "Type 'invoke backup.keys --prove' and give the private key that is kept elsewhere"
        return warned(CHECK, f"{len(recipients)} named, and no private key has proved itself on a set", remedy)
    newest = max(proofs, key=lambda each: each.proved)
    return passed(CHECK, f"{len(recipients)} named; a private key opened {newest.manifest.name} at {newest.proved}")
