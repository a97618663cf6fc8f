"""Reads and writes `.env`: what cannot be read the same way by Compose and by us is a problem, not a guess."""

from __future__ import annotations

import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.errors import SettingsInvalidError

_ASSIGNMENT = re.compile(r"^(?P<off>#?)(?P<key>[A-Za-z0-9_]+)=(?P<value>.*)$")


@dataclass(frozen=True, slots=True)
class EnvFile:
    """An `.env` as found: its text, its values, and what about it cannot work."""

    path: Path
    text: str
    values: Mapping[str, str]
    problems: tuple[str, ...]
    mode: int


def read_env_file(path: Path) -> EnvFile:
    """The file's values and problems.

    Raises SettingsInvalidError when it is missing, unreadable or not UTF-8.
    """
    try:
        raw = path.read_bytes()
        mode = stat.S_IMODE(path.stat().st_mode)
        text = raw.decode("utf-8")
    except FileNotFoundError as error:
        remedy = "Type 'scripts/bootstrap setup' to make one, or 'scripts/bootstrap secrets'."
        raise SettingsInvalidError(f"There is no settings file at {path}", remedy=remedy) from error
    except OSError as error:
        raise SettingsInvalidError(
            f"Cannot read {path}: {error.strerror}", remedy=f"Check its owner: ls -l {path}"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsInvalidError(f"{path} is not UTF-8 text", remedy=f"file {path}") from error
    clean = text.removeprefix("\ufeff").replace("\r\n", "\n")
    values = {key: value or "" for key, value in dotenv_values(stream=StringIO(clean), interpolate=False).items()}
    return EnvFile(path, text, values, (*_file_problems(path, text, mode), *_line_problems(clean)), mode)


def _file_problems(path: Path, text: str, mode: int) -> list[str]:
    found = []
    if mode & 0o077:
        found.append(f"{path.name}: others can read it (mode {mode:04o}); type: chmod 600 {path}")
    if text.startswith("\ufeff"):
        found.append(f"{path.name}: begins with a byte-order mark; type: sed -i '1s/^\\xEF\\xBB\\xBF//' {path}")
    if "\r" in text:
        found.append(f"{path.name}: has Windows line ends; type: sed -i 's/\\r$//' {path}")
    return found


def _line_problems(text: str) -> list[str]:
    found: list[str] = []
    first_line: dict[str, int] = {}
    for binding in parse_stream(StringIO(text)):
        line, written = binding.original.line, binding.original.string.strip()
        if binding.error or (binding.key and binding.value is None):
            found.append(f"line {line}: is neither KEY=VALUE nor a comment; correct it or put # before it")
            continue
        if not binding.key:
            continue
        if binding.key in first_line:
            found.append(f"{binding.key}: stands on line {first_line[binding.key]} and again on line {line}; keep one")
        first_line.setdefault(binding.key, line)
        bare = written.partition("=")[2].lstrip()
        if "$" in (binding.value or "") and not bare.startswith("'"):
            found.append(
                f"{binding.key}: Compose replaces what follows the $ on line {line}; put the value in single quotes"
            )
        if not bare.startswith(("'", '"')) and re.search(r"\s#", bare):
            found.append(
                f"{binding.key}: what follows ' #' on line {line} is dropped; quote the value, put the comment above"
            )
    return found


def with_values(text: str, values: Mapping[str, str]) -> str:
    """The text with these values set: in place, else where the key stands commented out, else at the end.

    Order, comments and unknown lines stay as they are.
    """
    lines = text.splitlines()
    rest = dict(values)
    for off in ("", "#"):
        for index, line in enumerate(lines):
            match = _ASSIGNMENT.match(line)
            if match and match["off"] == off and match["key"] in rest:
                lines[index] = f"{match['key']}={rest.pop(match['key'])}"
    lines += [f"{key}={value}" for key, value in rest.items()]
    return "\n".join(lines) + "\n"


def write_env_file(path: Path, text: str) -> None:
    """Replaces the file in one step, mode 0600."""
    write_atomically(path, text)
