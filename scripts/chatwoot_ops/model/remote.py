"""Where sets are kept off-site: a bucket with a prefix, what its objects are called, and which names are refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chatwoot_ops.model.backup_set import ENCRYPTED, KNOWN_ARTIFACT, MANIFEST, Artifact

REMOTE, ENDPOINT, REGION = "BACKUP_REMOTE", "BACKUP_REMOTE_ENDPOINT", "BACKUP_REMOTE_REGION"
ACCESS_KEY, SECRET_KEY = "BACKUP_REMOTE_ACCESS_KEY", "BACKUP_REMOTE_SECRET_KEY"
REMOTE_SETTINGS = (REMOTE, ENDPOINT, REGION, ACCESS_KEY, SECRET_KEY)
CLAIM, OFF_SITE = "claim.json", "off-site.json"
# Beside the sets of an installation; no set is called so.
WAL_FOLDER = "wal"
_MEGABYTE = 1024 * 1024
# S3 takes 10,000 parts of an object; fewer leave room for a size that was rounded.
_SMALLEST_PART, _MOST_PARTS = 16 * _MEGABYTE, 9000
_SCHEME = "s3://"


@dataclass(frozen=True, slots=True)
class Remote:
    """A bucket, the prefix below which everything lies, and how to get there. An empty endpoint is Amazon's own."""

    bucket: str
    prefix: str
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)

    def folder(self, *parts: str) -> str:
        """The part of an object's name up to and without its last slash: prefix, instance, set."""
        return "/".join(part for part in (self.prefix, *parts) if part)

    @property
    def url(self) -> str:
        """The place as an operator wrote it."""
        return f"{_SCHEME}{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def in_clear(self) -> bool:
        """Whether what is sent can be read on its way: no TLS, to another machine."""
        parts = urlsplit(self.endpoint)
        return parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}


def remote_of(values: Mapping[str, str]) -> Remote | None:
    """The remote that these settings name, None where they name none."""
    place = values.get(REMOTE, "").removeprefix(_SCHEME).rstrip("/")
    if not place:
        return None
    bucket, _, prefix = place.partition("/")
    rest = (values.get(key, "") for key in REMOTE_SETTINGS[1:])
    return Remote(bucket, prefix, *rest)


def half_set_remote(values: Mapping[str, str]) -> Iterator[str]:
    """What is missing where some of the remote's settings are set: without one of them nothing gets off-site."""
    needed = (REMOTE, ACCESS_KEY, SECRET_KEY)
    present = [key for key in REMOTE_SETTINGS if values.get(key)]
    lacking = [key for key in needed if not values.get(key)]
    if present and lacking:
        yield f"{', '.join(lacking)}: empty while {', '.join(present)} is set; set all of {', '.join(needed)} or none"


def unusable_endpoint(values: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with an address that is a URL, and no server of this kind has."""
    try:
        parts = urlsplit(values.get(ENDPOINT, ""))
    except ValueError:
        return  # no URL at all, which its type says
    if parts.scheme not in {"", "http", "https"}:
        yield f"{ENDPOINT}: must begin with https:// or http://"
    if parts.username:
        yield f"{ENDPOINT}: holds a user name; put the credentials into {ACCESS_KEY} and {SECRET_KEY}"


def part_size(size: int) -> int:
    """Bytes of each part that a file of this size is sent in; the same each time, so that an upload can go on."""
    wanted = -(-size // _MOST_PARTS)
    return max(_SMALLEST_PART, -(-wanted // _MEGABYTE) * _MEGABYTE)


def readable(artifacts: Iterable[Artifact]) -> tuple[str, ...]:
    """The artifacts that tell whoever owns the bucket something; the tokens of known files tell nothing."""
    return tuple(each.name for each in artifacts if not each.name.endswith(ENCRYPTED) and each.name != KNOWN_ARTIFACT)


@dataclass(frozen=True, slots=True)
class RemoteObjects:
    """The objects of one set at the remote: names below the set's folder, with their sizes in bytes."""

    instance: str
    name: str
    sizes: Mapping[str, int]

    @property
    def whole(self) -> bool:
        """Whether the manifest is there: it is written last, so without it there is no set."""
        return MANIFEST in self.sizes


def grouped(folder: str, sizes: Mapping[str, int]) -> tuple[RemoteObjects, ...]:
    """The objects below the prefix by instance and set; WAL, and what is not named so, is no set and left out."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    for key, size in sizes.items():
        parts = key.removeprefix(f"{folder}/" if folder else "").split("/", 2)
        if len(parts) == 3 and all(parts) and parts[1] != WAL_FOLDER:  # noqa: PLR2004 - instance, set, object
            found.setdefault((parts[0], parts[1]), {})[parts[2]] = size
    return tuple(RemoteObjects(*names, found[names]) for names in sorted(found))
