"""Fields of parsed JSON, each of the type that it must have: KeyError, TypeError or ValueError for any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def object_in(value: object, name: str) -> dict[str, Any]:
    """The value as an object; `name` is what it is called in an error."""
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no object")
    return value


def list_in(raw: Mapping[str, Any], name: str) -> list[Any]:
    """The list of this name."""
    value = raw[name]
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} is no list")
    return list(value)


def texts_in(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """The list of texts of this name."""
    values = list_in(raw, name)
    if not all(isinstance(each, str) for each in values):
        raise TypeError(f"{name} is no list of texts")
    return tuple(values)


def text_in(raw: Mapping[str, Any], name: str) -> str:
    """The text of this name."""
    if not isinstance(raw[name], str):
        raise TypeError(f"{name} is no text")
    return str(raw[name])


def number_in(raw: Mapping[str, Any], name: str) -> int:
    """The whole number of this name."""
    # True is an int to isinstance.
    if type(raw[name]) is not int:
        raise TypeError(f"{name} is no whole number")
    return int(raw[name])


def flag_in(raw: Mapping[str, Any], name: str) -> bool:
    """The yes or no of this name."""
    if not isinstance(raw[name], bool):
        raise TypeError(f"{name} is neither true nor false")
    return bool(raw[name])
