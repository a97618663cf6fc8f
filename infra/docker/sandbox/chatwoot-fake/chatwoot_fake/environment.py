"""The environment variables as Chatwoot reads them, with its defaults (facts 1.2 and 9.1)."""

import os

# What ActiveModel's boolean cast takes for false.
FALSE_WORDS = frozenset({"", "0", "f", "false", "off", "no"})


def text(name: str, default: str = "") -> str:
    """The value, or the default when the variable is absent. An empty value stays empty."""
    return os.environ.get(name, default)


def filled(name: str, default: str) -> str:
    """The value, or the default when the variable is absent or empty."""
    return os.environ.get(name) or default


def flag(name: str, *, default: bool = False) -> bool:
    """The variable read as a boolean."""
    value = os.environ.get(name)
    return default if value is None else value.strip().lower() not in FALSE_WORDS


def number(name: str, default: float) -> float:
    """The variable read as a number; absent or empty gives the default."""
    return float(os.environ.get(name) or default)


def frontend_host() -> str:
    """Host of FRONTEND_URL without its port; empty without a scheme (facts 1.2)."""
    head, found, rest = text("FRONTEND_URL").partition("://")
    return rest.split("/")[0].rsplit(":", 1)[0] if found and head else ""


def frontend_url() -> str:
    """FRONTEND_URL as it is put in front of generated addresses."""
    return text("FRONTEND_URL").rstrip("/")


def boot_seconds(usual: float) -> float:
    """How long this boot takes: the knob, or what the recordings measured (recordings, Starting)."""
    return number("CHATWOOT_FAKE_BOOT_SECONDS", usual)


def log_level() -> str:
    """LOG_LEVEL, `info` by default (facts 3)."""
    return filled("LOG_LEVEL", "info").lower()
