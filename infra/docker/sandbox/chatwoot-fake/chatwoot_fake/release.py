"""Which release this image plays. The version is read where Chatwoot keeps it: config/app.yml (facts 15)."""

import os
import re
from functools import cache
from pathlib import Path

ROOT = Path(os.environ.get("CHATWOOT_FAKE_ROOT", "/app"))


@cache
def release() -> str:
    """`shared.version` of config/app.yml, for example `4.15.1`."""
    text = (ROOT / "config" / "app.yml").read_text(encoding="utf-8")
    found = re.search(r"version:\s*'([^']+)'", text)
    if not found:
        raise RuntimeError("config/app.yml names no version")
    return found.group(1)


@cache
def number() -> tuple[int, ...]:
    """The release as numbers that can be compared: (4, 15, 1)."""
    return tuple(int(part) for part in release().split("."))


def git_sha() -> str:
    """The content of .git_sha (facts 13)."""
    return (ROOT / ".git_sha").read_text(encoding="utf-8").strip()


def has_user_sessions() -> bool:
    """Whether sign-in writes a row of `user_sessions`, as it does since 4.15.0 (facts 2.3)."""
    return number() >= (4, 15, 0)
