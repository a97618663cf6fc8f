"""The age format: settings and keys sealed to public keys, so that the server cannot read its own backups."""

from __future__ import annotations

from pathlib import Path

import pyrage

from chatwoot_ops.errors import BackupSetInvalidError, SettingsInvalidError


def seal(text: str, recipients: tuple[str, ...]) -> bytes:
    """The text, sealed to these public keys (age1...).

    Raises SettingsInvalidError naming the recipient that is no age public key.
    """
    keys = []
    for recipient in recipients:
        try:
            keys.append(pyrage.x25519.Recipient.from_str(recipient))
        except pyrage.RecipientError as error:
            remedy = "An age public key begins with age1; docs/how-to/back-up.md says how to make a pair."
            raise SettingsInvalidError(
                f"BACKUP_RECIPIENTS: {recipient[:20]}... is no age public key", remedy=remedy
            ) from error
    return bytes(pyrage.encrypt(text.encode(), keys))


def unseal(sealed: bytes, identity_file: Path) -> str:
    """The text, opened with the private key in a file (AGE-SECRET-KEY-1...).

    Raises BackupSetInvalidError when the file holds no private key, or not the right one.
    """
    try:
        lines = identity_file.read_text(encoding="ascii").splitlines()
        keys = [pyrage.x25519.Identity.from_str(line.strip()) for line in lines if line.startswith("AGE-SECRET-KEY-1")]
    except (OSError, ValueError, pyrage.IdentityError) as error:
        raise BackupSetInvalidError(f"{identity_file} cannot be read as an age private key") from error
    try:
        return bytes(pyrage.decrypt(sealed, keys)).decode()
    except pyrage.DecryptError as error:
        remedy = "Give the private key that belongs to one of the set's recipients with --identity FILE."
        raise BackupSetInvalidError(f"{identity_file} does not open the settings of this set", remedy=remedy) from error


def make_pair() -> tuple[str, str]:
    """A new pair: the public key, which may be known, and the private key, which must be kept elsewhere."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity.to_public()), str(identity)
