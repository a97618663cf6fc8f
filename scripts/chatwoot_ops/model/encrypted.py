"""Active Record's encrypted values, opened outside Rails: a wrong key is seen at once, which Chatwoot itself hides.

Format and derivation as seen on a running Chatwoot (recordings/README.md, Keys): JSON {"p": ciphertext, "h": {"iv",
"at", "c" when deflated}}, AES-256-GCM without additional data, keys by PBKDF2-HMAC-SHA1, 65,536 rounds, 32 bytes.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatwoot_ops.model.settings import ENCRYPTION_KEYS

ROUNDS, KEY_LENGTH = 65_536, 32
FINGERPRINT_ROUNDS = 100_000
FINGERPRINTED = ("SECRET_KEY_BASE", *ENCRYPTION_KEYS)


class WrongKeyError(ValueError):
    """No key at hand opens the value."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The two derived keys of an installation."""

    primary: bytes = field(repr=False)
    deterministic: bytes = field(repr=False)


def derive_keys(settings: Mapping[str, str]) -> Keys | None:
    """The keys that these settings give, None where encryption is not set up (all three or none)."""
    primary, deterministic, salt = (settings.get(name, "") for name in ENCRYPTION_KEYS)
    if not (primary and deterministic and salt):
        return None
    return Keys(
        *(
            hashlib.pbkdf2_hmac("sha1", key.encode(), salt.encode(), ROUNDS, KEY_LENGTH)
            for key in (primary, deterministic)
        )
    )


def is_encrypted(value: str) -> bool:
    """Whether a column's text is such a value and not plain text that Chatwoot still reads."""
    try:
        parsed = json.loads(value)
    except ValueError:
        return False
    headers = parsed.get("h") if isinstance(parsed, dict) else None
    return isinstance(headers, dict) and "p" in parsed and "iv" in headers


def open_value(value: str, keys: Keys) -> str:
    """The plain text of a column's value; a second layer (users.otp_secret has one) is opened too.

    Raises WrongKeyError when neither key opens it.
    """
    for key in (keys.primary, keys.deterministic):
        try:
            plain = _open(json.loads(value), key)
        except (InvalidTag, KeyError, ValueError, zlib.error):
            # A row that is damaged opens with no key either.
            continue
        return open_value(plain, keys) if is_encrypted(plain) else plain
    raise WrongKeyError("neither the primary nor the deterministic key opens it")


def _open(parts: Mapping[str, Any], key: bytes) -> str:
    headers = parts["h"]
    sealed = b64decode(str(parts["p"])) + b64decode(str(headers["at"]))
    plain = AESGCM(key).decrypt(b64decode(str(headers["iv"])), sealed, None)
    return (zlib.decompress(plain) if headers.get("c") else plain).decode()


def fingerprints(settings: Mapping[str, str], instance: str) -> dict[str, str]:
    """A short name for each key that is set, from which the key cannot be had; salted with the instance."""
    return {
        name: hashlib.pbkdf2_hmac("sha256", value.encode(), f"{instance}:{name}".encode(), FINGERPRINT_ROUNDS, 8).hex()
        for name in FINGERPRINTED
        if (value := settings.get(name, ""))
    }
