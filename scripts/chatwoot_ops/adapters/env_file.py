"""Reads and writes `.env`: what cannot be read the same way by Compose and by us is a problem, not a guess."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.errors import SettingsInvalidError

_OFF = re.compile(r"^#(?P<key>[A-Za-z0-9_]+)=.*$", re.MULTILINE)
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# In single quotes python-dotenv halves two backslashes, in double quotes it takes the one before a single quote away.
_TWO_READINGS = re.compile(r"""'.*\\\\|"([^\\]|\\[nt"\\])*\\[^nt"\\]""", re.DOTALL)
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class EnvFile:
    """An `.env` as found: its text, its values, its mode, and what in its text cannot work."""

    path: Path
    text: str
    values: Mapping[str, str]
    damage: tuple[str, ...]
    mode: int

    @property
    def problems(self) -> tuple[str, ...]:
        """The damage, and that others can read the file: writing it anew cures only the latter."""
        if not self.mode & _OTHERS:
            return self.damage
        said = f"{self.path.name}: others can read it (mode {self.mode:04o}); type: chmod 600 {self.path}"
        return (said, *self.damage)


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
    bindings = list(parse_stream(StringIO(text.removeprefix("\ufeff").replace("\r\n", "\n"))))
    values = {binding.key: binding.value or "" for binding in bindings if binding.key}
    return EnvFile(path, text, values, (*_encoding_problems(path, text), *_line_problems(bindings)), mode)


def _encoding_problems(path: Path, text: str) -> Iterator[str]:
    if text.startswith("\ufeff"):
        yield f"{path.name}: begins with a byte-order mark; type: sed -i '1s/^\\xEF\\xBB\\xBF//' {path}"
    if "\r" in text:
        yield f"{path.name}: has Windows line ends; type: sed -i 's/\\r$//' {path}"


def _line_problems(bindings: list[Binding]) -> Iterator[str]:
    first_line: dict[str, int] = {}
    for binding in bindings:
        line = _line_of(binding)
        if _is_no_assignment(binding):
            yield f"line {line}: is neither KEY=VALUE nor a comment; correct it or put # before it"
        elif binding.key:
            if binding.key in first_line:
                yield f"{binding.key}: stands on line {first_line[binding.key]} and again on line {line}; keep one"
            first_line.setdefault(binding.key, line)
            yield from _value_problems(binding)


def _line_of(binding: Binding) -> int:
    # A binding begins at the empty lines before it.
    text = binding.original.string
    return int(binding.original.line) + text[: len(text) - len(text.lstrip())].count("\n")


def _is_no_assignment(binding: Binding) -> bool:
    # Compose refuses a key in quotes, python-dotenv does not.
    return binding.error or bool(binding.key and (binding.value is None or binding.original.string.lstrip()[0] == "'"))


def _value_problems(binding: Binding) -> Iterator[str]:
    """What Compose would make something else of than we do."""
    key, line = binding.key, _line_of(binding)
    written = binding.original.string.strip().partition("=")[2]
    bare = written.lstrip()
    if "$" in (binding.value or "") and not bare.startswith("'"):
        yield f"{key}: Compose replaces what follows the $ on line {line}; put the value in single quotes"
    if not bare.startswith(("'", '"')) and re.search(r"\s#", written):
        yield f"{key}: what follows ' #' on line {line} is dropped; quote the value, put the comment above"
    if _TWO_READINGS.match(bare):
        yield f"{key}: a backslash in quotes on line {line} is read in two ways; use letters and digits"
    if _INVISIBLE.search(binding.value or ""):
        yield f"{key}: holds an invisible character on line {line}; type the value anew"


def with_values(text: str, values: Mapping[str, str]) -> str:
    """The text with these values set: in place, else where the key stands commented out, else at the end.

    Order, comments and unknown lines stay as they are.
    """
    rest = dict(values)
    pieces = [_with_value(binding, rest) for binding in parse_stream(StringIO(text))]
    whole = _OFF.sub(lambda off: _taken(off["key"], rest) if off["key"] in rest else off[0], "".join(pieces))
    if rest and whole and not whole.endswith("\n"):
        whole += "\n"
    return whole + "".join(f"{key}={value}\n" for key, value in rest.items())


def _with_value(binding: Binding, rest: dict[str, str]) -> str:
    piece = binding.original.string
    if binding.error or not binding.key or binding.key not in rest:
        return piece
    body = piece.strip()
    before, _, after = piece.partition(body)
    return f"{before}{_taken(binding.key, rest)}{after}"


def _taken(key: str, rest: dict[str, str]) -> str:
    return f"{key}={rest.pop(key)}"


def write_env_file(path: Path, text: str) -> None:
    """Replaces the file in one step, mode 0600."""
    write_atomically(path, text)
