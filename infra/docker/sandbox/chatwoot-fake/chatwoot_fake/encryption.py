"""Encrypted columns as Rails writes them (recordings, Keys; facts 9.2).

All three keys or none: a half-set triple counts as not configured, and an encrypted value is then returned as the text
that is in the column. With a wrong key the same happens: no error, the ciphertext.
"""

import base64
import hashlib
import json
import os
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatwoot_fake import environment

NAMES = ("PRIMARY_KEY", "DETERMINISTIC_KEY", "KEY_DERIVATION_SALT")
ROUNDS, SIZE, TAG = 65_536, 32, 16


def configured() -> bool:
    """Whether all three keys are set."""
    return all(environment.text(f"ACTIVE_RECORD_ENCRYPTION_{name}") for name in NAMES)


def seal(plain: str) -> str:
    """What goes into the column."""
    if not configured():
        return plain
    nonce = os.urandom(12)
    sealed = AESGCM(_key()).encrypt(nonce, plain.encode(), b"")
    head = {"iv": _text(nonce), "at": _text(sealed[-TAG:]), "i": _text(_reference().encode())}
    return json.dumps({"p": _text(sealed[:-TAG]), "h": head}, separators=(",", ":"))


def unseal(stored: str | None) -> str | None:
    """What the application sees; what cannot be opened is returned as it is."""
    if not configured() or not (stored or "").startswith("{"):
        return stored
    try:
        parts = json.loads(stored or "")
        sealed = _bytes(parts["p"]) + _bytes(parts["h"]["at"])
        return AESGCM(_key()).decrypt(_bytes(parts["h"]["iv"]), sealed, b"").decode()
    except (InvalidTag, ValueError, KeyError):
        return stored


@cache
def _key() -> bytes:
    secret, salt = (environment.text(f"ACTIVE_RECORD_ENCRYPTION_{name}").encode() for name in (NAMES[0], NAMES[2]))
    return hashlib.pbkdf2_hmac("sha1", secret, salt, ROUNDS, SIZE)


def _reference() -> str:
    secret = environment.text("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY").encode()
    return hashlib.sha1(secret, usedforsecurity=False).hexdigest()[:4]


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
