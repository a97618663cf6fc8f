"""A manifest as text: each field is checked for its type, so that a damaged one is refused and never half believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import FORMAT, Artifact, DataDigest, Encryption, Manifest, StorageProof, TableDigest
from chatwoot_ops.model.cluster import KINDS, PHYSICAL, ClusterFacts, parse_cluster

_TEXTS = ("name", "kind", "created", "instance", "release", "image", "tool")
_KNOWN = {
    *_TEXTS,
    "note",
    "sequence",
    "format",
    "settings_included",
    "fingerprints",
    "artifacts",
    "data",
    "storage",
    "seal",
    "cluster",
    "encryption",
}


def to_json(manifest: Manifest) -> str:
    """The manifest as it is written, with a seal of its own content: a flipped bit in it must not go unseen."""
    raw = asdict(manifest)
    return json.dumps({**raw, "seal": _seal(raw)}, indent=1, sort_keys=True) + "\n"


def _seal(raw: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def parse_manifest(text: str) -> Manifest:
    """The manifest in this text.

    Raises BackupSetInvalidError when it is damaged, or of a format that this version does not know.
    """
    try:
        raw = _object(json.loads(text), "manifest")
        _refuse_newer(_number(raw, "format"))
        _require_seal(raw)
        return _manifest(raw)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BackupSetInvalidError("The manifest is damaged", details=(f"{type(error).__name__}: {error}",)) from error


def _require_seal(raw: Mapping[str, Any]) -> None:
    if _text(raw, "seal") != _seal({name: value for name, value in raw.items() if name != "seal"}):
        raise ValueError("its content is not what was written")


def _refuse_newer(found: int) -> None:
    if found > FORMAT:
        remedy = "Restore it with the version of this repository that made it, or a newer one."
        raise BackupSetInvalidError(f"The set is of format {found}, this version knows {FORMAT}", remedy=remedy)


def _manifest(raw: Mapping[str, Any]) -> Manifest:
    if unknown := set(raw) - _KNOWN:
        raise KeyError(", ".join(sorted(unknown)))
    fingerprints = _object(raw["fingerprints"], "fingerprints")
    return Manifest(
        **{name: _text(raw, name) for name in _TEXTS},
        sequence=_number(raw, "sequence"),
        format=_number(raw, "format"),
        settings_included=_flag(raw, "settings_included"),
        note=_text(raw, "note") if "note" in raw else "",
        data=parse_data(_object(raw["data"], "data")),
        storage=_storage(_object(raw["storage"], "storage")),
        # Sets of format 1 have none; what of them is encrypted is told by its name.
        encryption=_encryption(_object(raw["encryption"], "encryption")) if "encryption" in raw else Encryption(),
        fingerprints={name: _text(fingerprints, name) for name in fingerprints},
        artifacts=tuple(_artifact(_object(each, "artifacts")) for each in _list(raw, "artifacts")),
        cluster=_cluster(raw),
    )


def _cluster(raw: Mapping[str, Any]) -> ClusterFacts | None:
    if _text(raw, "kind") not in KINDS:
        raise ValueError(f"its kind is {raw['kind']!r}")
    # Format 1 knew logical sets only.
    cluster = raw.get("cluster")
    if (cluster is None) == (raw["kind"] == PHYSICAL):
        raise ValueError(f"a {raw['kind']} set, and its cluster is {cluster!r}")
    return None if cluster is None else parse_cluster(_object(cluster, "cluster"))


def _storage(raw: Mapping[str, Any]) -> StorageProof:
    return StorageProof(
        files=_number(raw, "files"),
        bytes=_number(raw, "bytes"),
        proved=_number(raw, "proved"),
        missing=_texts(raw, "missing"),
        wrong=_texts(raw, "wrong"),
        orphaned=_texts(raw, "orphaned"),
    )


def _encryption(raw: Mapping[str, Any]) -> Encryption:
    return Encryption(_texts(raw, "recipients"), _flag(raw, "whole"))


def _artifact(raw: Mapping[str, Any]) -> Artifact:
    name = _text(raw, "name")
    # A name that leads out of the set's folder would be read, and one day written, somewhere else.
    if not name or "/" in name or name in {".", ".."}:
        raise ValueError(f"an artifact is called {name!r}")
    return Artifact(name, _number(raw, "size"), _text(raw, "sha256"))


def parse_data(raw: Mapping[str, Any]) -> DataDigest:
    """The digest in a parsed JSON object.

    Raises KeyError, TypeError or ValueError for anything that is no digest.
    """
    tables, sequences = _object(raw["tables"], "tables"), _object(raw["sequences"], "sequences")
    extensions = _object(raw["extensions"], "extensions")
    return DataDigest(
        tables={name: _table(_object(each, name)) for name, each in tables.items()},
        sequences={name: _range(sequences, name) for name in sequences},
        migrations=_texts(raw, "migrations"),
        extensions={name: _text(extensions, name) for name in extensions},
        triggers=_number(raw, "triggers"),
        postgres=_text(raw, "postgres"),
        newest_message="" if raw["newest_message"] is None else _text(raw, "newest_message"),
    )


def _table(raw: Mapping[str, Any]) -> TableDigest:
    return TableDigest(_number(raw, "rows"), _text(raw, "digest"))


def _range(raw: Mapping[str, Any], name: str) -> tuple[int, int]:
    low, high = _list(raw, name)
    if type(low) is not int or type(high) is not int:
        raise TypeError(f"{name} is no pair of numbers")
    return low, high


def _object(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no object")
    return value


def _list(raw: Mapping[str, Any], name: str) -> list[Any]:
    value = raw[name]
    if not isinstance(value, list | tuple):
        raise TypeError(f"{name} is no list")
    return list(value)


def _texts(raw: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = _list(raw, name)
    if not all(isinstance(each, str) for each in values):
        raise TypeError(f"{name} is no list of texts")
    return tuple(values)


def _text(raw: Mapping[str, Any], name: str) -> str:
    if not isinstance(raw[name], str):
        raise TypeError(f"{name} is no text")
    return str(raw[name])


def _number(raw: Mapping[str, Any], name: str) -> int:
    # True is an int to isinstance.
    if type(raw[name]) is not int:
        raise TypeError(f"{name} is no whole number")
    return int(raw[name])


def _flag(raw: Mapping[str, Any], name: str) -> bool:
    if not isinstance(raw[name], bool):
        raise TypeError(f"{name} is neither true nor false")
    return bool(raw[name])
