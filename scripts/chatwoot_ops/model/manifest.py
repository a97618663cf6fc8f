"""A manifest as text: each field is checked for its type, so that a damaged one is refused and never half believed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import (
    ENCRYPTED,
    FORMAT,
    Artifact,
    DataDigest,
    Encryption,
    Manifest,
    StorageProof,
    TableDigest,
)
from chatwoot_ops.model.cluster import KINDS, PHYSICAL, ClusterFacts, parse_cluster
from chatwoot_ops.model.json_fields import flag_in, list_in, number_in, object_in, text_in, texts_in
from chatwoot_ops.model.stored_files import Pack, Packing

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
    "packing",
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
        raw = object_in(json.loads(text), "manifest")
        _refuse_newer(number_in(raw, "format"))
        _require_seal(raw)
        return _manifest(raw)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BackupSetInvalidError("The manifest is damaged", details=(f"{type(error).__name__}: {error}",)) from error


def _require_seal(raw: Mapping[str, Any]) -> None:
    if text_in(raw, "seal") != _seal({name: value for name, value in raw.items() if name != "seal"}):
        raise ValueError("its content is not what was written")


def _refuse_newer(found: int) -> None:
    if found > FORMAT:
        remedy = "Restore it with the version of this repository that made it, or a newer one."
        raise BackupSetInvalidError(f"The set is of format {found}, this version knows {FORMAT}", remedy=remedy)


def _manifest(raw: Mapping[str, Any]) -> Manifest:
    if unknown := set(raw) - _KNOWN:
        raise KeyError(", ".join(sorted(unknown)))
    fingerprints = object_in(raw["fingerprints"], "fingerprints")
    return Manifest(
        **{name: text_in(raw, name) for name in _TEXTS},
        sequence=number_in(raw, "sequence"),
        format=number_in(raw, "format"),
        settings_included=flag_in(raw, "settings_included"),
        note=text_in(raw, "note") if "note" in raw else "",
        data=parse_data(object_in(raw["data"], "data")),
        storage=_storage(object_in(raw["storage"], "storage")),
        # Sets of format 1 have none; what of them is encrypted is told by its name.
        encryption=_encryption(object_in(raw["encryption"], "encryption")) if "encryption" in raw else Encryption(),
        fingerprints={name: text_in(fingerprints, name) for name in fingerprints},
        artifacts=tuple(_artifact(object_in(each, "artifacts")) for each in list_in(raw, "artifacts")),
        cluster=_cluster(raw),
        packing=_packing(raw),
    )


def _cluster(raw: Mapping[str, Any]) -> ClusterFacts | None:
    if text_in(raw, "kind") not in KINDS:
        raise ValueError(f"its kind is {raw['kind']!r}")
    # Format 1 knew logical sets only.
    cluster = raw.get("cluster")
    if (cluster is None) == (raw["kind"] == PHYSICAL):
        raise ValueError(f"a {raw['kind']} set, and its cluster is {cluster!r}")
    return None if cluster is None else parse_cluster(object_in(cluster, "cluster"))


def _packing(raw: Mapping[str, Any]) -> Packing:
    # Up to format 2 a set had one archive of all its stored files, and said nothing of it.
    if "packing" not in raw:
        return Packing()
    packing = object_in(raw["packing"], "packing")
    packs = tuple(_pack(object_in(each, "packs"), raw) for each in list_in(packing, "packs"))
    return Packing(packs, text_in(packing, "whole_because"))


def _pack(pack: Mapping[str, Any], raw: Mapping[str, Any]) -> Pack:
    found = Pack(text_in(pack, "name"), number_in(pack, "files"), number_in(pack, "bytes"))
    if found.name not in {text_in(each, "name").removesuffix(ENCRYPTED) for each in list_in(raw, "artifacts")}:
        raise ValueError(f"the pack {found.name!r} is no artifact")
    return found


def _storage(raw: Mapping[str, Any]) -> StorageProof:
    return StorageProof(
        files=number_in(raw, "files"),
        bytes=number_in(raw, "bytes"),
        proved=number_in(raw, "proved"),
        missing=texts_in(raw, "missing"),
        wrong=texts_in(raw, "wrong"),
        orphaned=texts_in(raw, "orphaned"),
        kept=texts_in(raw, "kept") if "kept" in raw else (),
    )


def _encryption(raw: Mapping[str, Any]) -> Encryption:
    return Encryption(texts_in(raw, "recipients"), flag_in(raw, "whole"))


def _artifact(raw: Mapping[str, Any]) -> Artifact:
    name = text_in(raw, "name")
    # A name that leads out of the set's folder would be read, and one day written, somewhere else.
    if not name or "/" in name or name in {".", ".."}:
        raise ValueError(f"an artifact is called {name!r}")
    return Artifact(name, number_in(raw, "size"), text_in(raw, "sha256"))


def parse_data(raw: Mapping[str, Any]) -> DataDigest:
    """The digest in a parsed JSON object.

    Raises KeyError, TypeError or ValueError for anything that is no digest.
    """
    tables, sequences = object_in(raw["tables"], "tables"), object_in(raw["sequences"], "sequences")
    extensions = object_in(raw["extensions"], "extensions")
    return DataDigest(
        tables={name: _table(object_in(each, name)) for name, each in tables.items()},
        sequences={name: _range(sequences, name) for name in sequences},
        migrations=texts_in(raw, "migrations"),
        extensions={name: text_in(extensions, name) for name in extensions},
        triggers=number_in(raw, "triggers"),
        postgres=text_in(raw, "postgres"),
        newest_message="" if raw["newest_message"] is None else text_in(raw, "newest_message"),
    )


def _table(raw: Mapping[str, Any]) -> TableDigest:
    return TableDigest(number_in(raw, "rows"), text_in(raw, "digest"))


def _range(raw: Mapping[str, Any], name: str) -> tuple[int, int]:
    low, high = list_in(raw, name)
    if type(low) is not int or type(high) is not int:
        raise TypeError(f"{name} is no pair of numbers")
    return low, high
