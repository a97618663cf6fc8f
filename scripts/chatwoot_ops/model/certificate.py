"""What a drill found, as a record that is kept: which set, whether it could be restored, and how long that took."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from chatwoot_ops.model.check import Check, Outcome

# Of format 1 are those of before they had a seal.
FORMAT, UNSEALED = 2, 1
NO_SEAL = "no checksum: an earlier version made it"
# What certificates of format 1 may not have.
_LATER = {"origin": "", "usable_seconds": 0.0}
_TYPES: dict[str, type] = {"bool": bool, "int": int, "str": str}


@dataclass(frozen=True, slots=True)
class Certificate:
    """One drill. `began` and `ended` are UTC, ISO 8601; `why` says what failed, "" where the drill passed.

    `recovery_seconds` run from the start of the restore to the last proof; 0 where it did not come so far. Some time
    before, at `usable_seconds`, all could be used but what waits for indexes; 0 in a certificate of before.
    `size_bytes` is the set's size, `files_proved` counts stored files proved by size and MD5, and `fake` is true where
    a stand-in ran in Chatwoot's place. `origin` is where the set came from, "" for this machine; the recovery time of
    one from off-site counts its way here.
    """

    set: str
    kind: str
    release: str
    instance: str
    began: str
    ended: str
    passed: bool
    recovery_seconds: float
    size_bytes: int
    rows: int
    tables: int
    files_proved: int
    checks: tuple[Check, ...]
    from_remote: bool
    image: str
    fake: bool
    why: str = ""
    origin: str = ""
    usable_seconds: float = 0.0
    format: int = FORMAT

    @property
    def unsealed(self) -> str:
        """That nothing would show a change of it, in a few words; "" where its seal does."""
        return NO_SEAL if self.format == UNSEALED else ""


def to_json(certificate: Certificate) -> str:
    """The certificate as it is written, with a seal of its own content: what was changed in it must not count."""
    raw = asdict(certificate)
    return json.dumps({**raw, "seal": _seal(raw)}, indent=1, sort_keys=True) + "\n"


def _seal(raw: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def parse_certificate(text: str) -> Certificate:
    """The certificate in this text.

    Raises ValueError when it is damaged, or of a format that this version does not know: half of one proves nothing.
    """
    try:
        raw = json.loads(text)
        if raw["format"] not in {FORMAT, UNSEALED}:
            raise ValueError(f"it is of format {raw['format']}, this version knows {FORMAT}")
        raw = _opened(raw)
        values: dict[str, Any] = {each.name: _value(raw, each.name, str(each.type)) for each in fields(Certificate)}
        if any(datetime.fromisoformat(values[name]).tzinfo is None for name in ("began", "ended")):
            raise ValueError("it holds a time of no time zone")
        return Certificate(**values)
    except (LookupError, TypeError, RecursionError) as error:
        raise ValueError(f"it is damaged: {error}") from error


def _opened(raw: dict[str, Any]) -> dict[str, Any]:
    """The content below the seal. Raises ValueError for another content than was sealed."""
    content = {name: value for name, value in raw.items() if name != "seal"}
    if raw["format"] == UNSEALED:
        if "seal" in raw:
            raise ValueError("it has a seal, and is of a format that had none")
        return {**_LATER, **content}
    if raw["seal"] != _seal(content):
        raise ValueError("its content is not what was written")
    return content


def _value(raw: dict[str, Any], name: str, kind: str) -> object:
    value = raw[name]
    if name == "checks":
        return tuple(_check(each) for each in value)
    if kind == "float":
        # JSON writes 3.0 as it is, but a hand may write 3.
        wanted: tuple[type, ...] = (float, int)
    else:
        wanted = (_TYPES[kind],)
    # True is an int to isinstance.
    if type(value) not in wanted:
        raise TypeError(f"{name} is no {kind}")
    return value


def _check(raw: dict[str, Any]) -> Check:
    texts = [raw[name] for name in ("name", "seen", "remedy")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("a check holds something else than text")
    return Check(texts[0], Outcome(raw["outcome"]), texts[1], texts[2])
