"""What a value of each setting type must look like; each check returns "" or what is wrong."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from chatwoot_ops.model.timetable import wrong_with_times

_PATTERNS: dict[str, tuple[str, str]] = {
    "integer": (r"-?\d+", "a whole number"),
    "count": (r"\d{1,4}", "a whole number from 0 to 9999"),
    "boolean": (r"true|false", "true or false"),
    "memory": (r"\d+(\.\d+)?[bkmgBKMG][bB]?", "a size such as 512m or 2g"),
    "size": (r"\d+(kB|MB|GB|TB)", "a size in PostgreSQL's units such as 512MB or 2GB"),
    "folder": (r"/[^:]*", "a full path without a colon"),
    "cpus": (r"\d+(\.\d+)?", "a number of cores such as 2 or 0.5"),
    "seconds": (r"\d+", "a whole number of seconds"),
    "duration": (r"\d+(ms|s|min|h)?", "a time such as 14s or 600s"),
    "age": (r"\d{1,6}[smhd]", "a time such as 30m, 26h or 35d"),
    "email": (r"[^@\s]+@[^@\s]+|[^<>]+<[^@\s]+@[^@\s]+>", "an e-mail address"),
    "host": (r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?", "a host name"),
    "name": (r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", "letters, digits, dots, dashes and underscores"),
    "bucket": (
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9._-]*[A-Za-z0-9_-][A-Za-z0-9._-]*)*",
        "a bucket, with a prefix or without, such as s3://backups/chatwoot",
    ),
    "image": (r"[a-zA-Z0-9][a-zA-Z0-9_./:@-]*", "an image such as chatwoot/chatwoot:v4.15.1-ce"),
}
_HIGHEST_PORT = 65535


def _port(value: str) -> str:
    usable = value.isascii() and value.isdecimal() and 1 <= int(value) <= _HIGHEST_PORT
    return "" if usable else "must be a port from 1 to 65535"


def _url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https", "redis", "rediss"} and parts.hostname and parts.port != 0
    except ValueError:  # an open bracket, or a port that is no number
        usable = False
    if not usable:
        return "must be a URL with its scheme, such as https://support.example.com"
    return "must not end in a slash" if value.endswith("/") else ""


def _address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return "must be an IP address such as 127.0.0.1"
    return ""


_SPECIAL: dict[str, Callable[[str], str]] = {
    "port": _port,
    "url": _url,
    "address": _address,
    "schedule": wrong_with_times,
}


def wrong_with(setting_type: str, value: str) -> str:
    """What is wrong with a value of this type, as the end of a sentence; "" when nothing is."""
    if check := _SPECIAL.get(setting_type):
        return check(value)
    if setting_type.startswith("choice("):
        choices = setting_type[len("choice(") : -1].split("|")
        return "" if value in choices else f"must be one of {', '.join(choices)}"
    if setting_type in _PATTERNS:
        pattern, meaning = _PATTERNS[setting_type]
        return "" if re.fullmatch(pattern, value) else f"must be {meaning}"
    return ""
