"""Random names as Rails makes them, and passwords as Devise keeps them (facts 2.3, 4.5)."""

import re
import secrets
import string

import bcrypt

BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
PASSWORD_ROUNDS, TOKEN_ROUNDS = 11, 10


def secure_token(length: int = 24) -> str:
    """What `has_secure_token` writes: 24 characters of base 58."""
    return "".join(secrets.choice(BASE58) for _ in range(length))


def blob_key() -> str:
    """The name of a stored file: 28 characters (facts 8)."""
    alphabet = string.ascii_lowercase + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(28))


def digest(word: str, rounds: int = PASSWORD_ROUNDS) -> str:
    """bcrypt, in the `2a` spelling of the Ruby library."""
    return bcrypt.hashpw(word.encode()[:72], bcrypt.gensalt(rounds, b"2a")).decode()


def matches(word: str, hashed: str | None) -> bool:
    """Whether the word is the one that was digested; a broken digest matches nothing."""
    try:
        return bool(hashed) and bcrypt.checkpw(word.encode()[:72], str(hashed).encode())
    except ValueError:
        return False


def strong(password: str) -> bool:
    """At least 6 characters, with upper, lower, digit and special (facts 2.3)."""
    kinds = (r"[A-Z]", r"[a-z]", r"[0-9]", r"[^A-Za-z0-9]")
    return len(password) >= 6 and all(re.search(kind, password) for kind in kinds)  # noqa: PLR2004
