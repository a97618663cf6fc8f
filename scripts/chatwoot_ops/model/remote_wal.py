"""The WAL of a chain at the remote, as data: which finished segments are there, packed, and perhaps encrypted.

Each chain has one list, `PREFIX/INSTANCE/wal/CHAIN/segments.json`: a segment counts only when it stands there, which is
after it was read back. What the list says is checked field by field: names of it end up in paths.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import ENCRYPTED, Artifact
from chatwoot_ops.model.reach import moment_of
from chatwoot_ops.model.remote import WAL_FOLDER
from chatwoot_ops.model.wal import SLOT_PREFIX, Chain, number, position

FORMAT, INDEX, PACKED = 1, "segments.json", ".gz"
_FACTS = ("name", "system", "cluster", "timeline", "begun", "lsn", "segment_size")
_NAME = re.compile(rf"{SLOT_PREFIX}[0-9a-z]{{1,40}}")
_CLUSTER = re.compile(r"[\w.-]{1,100}", re.ASCII)
_TIMELINE = re.compile(r"[0-9A-F]{8}")
_OBJECT = re.compile(r"[0-9A-F]{24}\.gz(\.age)?")
_LARGEST_SEGMENT = 1024**3


@dataclass(frozen=True, slots=True)
class Segment:
    """A finished segment there: its object, that one's size and SHA-256, and when its last WAL was written (UTC)."""

    object: str
    size: int
    sha256: str
    written: str

    @property
    def name(self) -> str:
        """The segment's own name."""
        return self.object.partition(".")[0]

    @property
    def encrypted(self) -> bool:
        """Whether only a private key opens it."""
        return self.object.endswith(ENCRYPTED)

    @property
    def artifact(self) -> Artifact:
        """What must come back of it."""
        return Artifact(self.object, self.size, self.sha256)


@dataclass(frozen=True, slots=True)
class RemoteChain:
    """A chain as it is at the remote: what it is, with the segments that are there, and what each of them is."""

    chain: Chain
    there: tuple[Segment, ...] = ()

    def with_segments(self, there: Iterable[Segment]) -> RemoteChain:
        """The same with these segments, in order."""
        return _remote_chain(self.chain, tuple(sorted(there, key=lambda each: each.name)))

    def since(self, lsn: str) -> tuple[Segment, ...]:
        """The segments that a base backup needs which starts at this position."""
        first = position(lsn) // self.chain.segment_size
        return tuple(each for each in self.there if number(self.chain, each.name) >= first)


def chain_folder(instance: str, chain: str = "") -> tuple[str, ...]:
    """The parts of the name of the folder of a chain, or of all of them, below the prefix."""
    return (instance, WAL_FOLDER, *((chain,) if chain else ()))


def facts_of(chain: Chain) -> dict[str, Any]:
    """What a chain is, whatever it holds: two of the same name are one when these are the same."""
    return {name: getattr(chain, name) for name in _FACTS}


def description_of(chain: Chain) -> str:
    """The file `chain` that lies in the folder of a chain in the archive."""
    return "".join(f"{name}={value}\n" for name, value in facts_of(chain).items() if name != "name")


def to_json(found: RemoteChain) -> str:
    """The list as it is written, with a seal of its own content."""
    raw = {"format": FORMAT, "chain": facts_of(found.chain), "segments": [asdict(each) for each in found.there]}
    return json.dumps({**raw, "seal": _seal(raw)}, sort_keys=True) + "\n"


def _seal(raw: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(raw, sort_keys=True).encode()).hexdigest()


def parse_list(text: str, name: str) -> RemoteChain:
    """The list in this text, which must be that of the chain of this name.

    Raises BackupSetInvalidError when it is damaged, of another chain, or of a newer format.
    """
    try:
        raw: dict[str, Any] = json.loads(text)
        sealed = raw.pop("seal") == _seal(raw) and raw["format"] == FORMAT
        chain = Chain(**{key: raw["chain"][key] for key in _FACTS})
        there = tuple(Segment(**each) for each in raw["segments"])
        _require_sound(chain, there, name, sealed=sealed)
        return _remote_chain(replace(chain, segments=(), received=""), there)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        remedy = "'invoke push --wal' on the machine that has this WAL writes it anew."
        raise BackupSetInvalidError(
            f"The list of the WAL of {name} at the remote is damaged", details=(why,), remedy=remedy
        ) from error


def _require_sound(chain: Chain, there: tuple[Segment, ...], name: str, *, sealed: bool) -> None:
    if not sealed:
        raise ValueError("its content is not what was written, or it is of another format")
    sizes = (chain.segment_size, *(each.size for each in there))
    if chain.name != name or not _NAME.fullmatch(name) or any(type(size) is not int for size in sizes):
        raise ValueError("it is of another chain, or a size is no number")
    cluster = _CLUSTER.fullmatch(chain.cluster) and chain.system.isdigit() and _TIMELINE.fullmatch(chain.timeline)
    if not (cluster and 0 < chain.segment_size <= _LARGEST_SEGMENT and position(chain.lsn)):
        raise ValueError("its cluster is none")
    if bad := [each.object for each in there if not _OBJECT.fullmatch(each.object) or not each.sha256]:
        raise ValueError(f"a segment is called {bad[0]!r}")
    for moment in (chain.begun, *(each.written for each in there)):
        moment_of(moment)


def _remote_chain(chain: Chain, there: tuple[Segment, ...]) -> RemoteChain:
    names, received = tuple(each.name for each in there), max((each.written for each in there), default="")
    size = sum(each.size for each in there)
    known = replace(chain, segments=names, partial=False, size=size, received=received, written={})
    return RemoteChain(known, there)
