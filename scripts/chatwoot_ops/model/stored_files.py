"""Stored files as a set knows them: what is in it, in which packs, and what a later set may take from them."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote

MOST_PACKS = 30
# Of what the packs hold, how much may be of files that are gone before a whole one is taken again.
MOST_DEAD_PERCENT = 25
_TOKEN_BYTES = 16


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file: its size in bytes and its MD5 in base64, as Active Storage writes it."""

    size: int
    md5: str


@dataclass(frozen=True, slots=True)
class Pack:
    """A tar of stored files in a set: its name once it is open, how many files it holds, and their bytes."""

    name: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Packing:
    """The packs of a set, the oldest first; the last that holds a key has the file as the set means it.

    `whole_because` says why nothing was taken from an earlier set, "" where something could be.
    """

    packs: tuple[Pack, ...] = ()
    whole_because: str = ""

    def worn_out(self, live: int) -> str:
        """Why the next set should not go on from these packs, of whose bytes `live` are still needed; "" if it may."""
        held = sum(each.bytes for each in self.packs)
        if len(self.packs) >= MOST_PACKS:
            return f"the set before has {len(self.packs)} packs already"
        if (held - live) * 100 > held * MOST_DEAD_PERCENT:
            return f"{(held - live) * 100 // held} % of the packs before are of files that are gone or were changed"
        return ""


def linked_name(sequence: int) -> str:
    """How the pack that was made with the set of this number is called in later ones; by name they sort by age."""
    return f"storage-{sequence:06}.tar"


def place_of(key: str) -> str:
    """Where Active Storage keeps the file of a key, below the volume."""
    return f"./{key[:2]}/{key[2:4]}/{key}"


def list_lines(files: Mapping[str, StoredFile]) -> Iterator[str]:
    """The list of a set's files, a line each: MD5 as hex, size, place; what is odd in a name is escaped as in a URL."""
    for key in sorted(files):
        found = files[key]
        yield f"{b64decode(found.md5).hex()} {found.size} {quote(place_of(key), errors='surrogateescape')}\n"


def parse_list(lines: Iterable[str]) -> dict[str, StoredFile]:
    """The files of such a list by key.

    Raises ValueError for a line that is none.
    """
    found = {}
    for line in lines:
        md5, size, place = line.split()
        key = unquote(place, errors="surrogateescape").rpartition("/")[2]
        found[key] = StoredFile(int(size), b64encode(bytes.fromhex(md5)).decode())
    return found


def token(secret: str, key: str, file: StoredFile) -> str:
    """A name for exactly this content under this key, which tells nothing to who lacks the secret.

    A server that cannot read its own encrypted sets still sees by it what they hold.
    """
    said = f"stored file:{key} {file.size} {file.md5}".encode(errors="surrogateescape")
    return hmac.digest(secret.encode(), said, "sha256")[:_TOKEN_BYTES].hex()
