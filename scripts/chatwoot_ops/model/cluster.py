"""What a physical set says of its cluster: all that decides whether a server here can run its files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

LOGICAL, PHYSICAL = "logical", "physical"
KINDS = (LOGICAL, PHYSICAL)


@dataclass(frozen=True, slots=True)
class Compression:
    """How an archive is packed: its option of pg_basebackup, the ending of its name, the program that unpacks it."""

    option: str
    ending: str
    program: str


# Fastest first at nearly the same size (facts/perf.md, 4).
COMPRESSIONS = (
    Compression("client-zstd:level=1,workers=2", ".zst", "zstd"),
    Compression("client-lz4:1", ".lz4", "lz4"),
    Compression("client-gzip:1", ".gz", "gzip"),
)


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A cluster as it was when its backup began; where its backup starts and stops in the WAL.

    `folder` is its folder's name, which no two clusters of a volume share; a chain of the WAL archive names it too.
    `collation_version` is what the image offered then ("" for a collation without versions, such as C).
    """

    system_identifier: str
    major: int
    architecture: str
    superuser: str
    database: str
    encoding: str
    collation_provider: str
    collation: str
    collation_version: str
    data_checksums: bool
    timeline: int
    start_lsn: str
    stop_lsn: str
    began: str
    folder: str
    backup_manifest: str = "backup_manifest"


def parse_cluster(raw: Mapping[str, Any]) -> ClusterFacts:
    """The facts in a parsed JSON object.

    Raises KeyError or TypeError for anything that is not exactly them.
    """
    wanted = {each.name: str(each.type) for each in fields(ClusterFacts)}
    if differing := set(raw) ^ set(wanted):
        raise KeyError(", ".join(sorted(differing)))
    for name, kind in wanted.items():
        if type(raw[name]).__name__ != kind:
            raise TypeError(f"cluster.{name} is no {kind}")
    return ClusterFacts(**raw)


def compression_of(archive: str) -> Compression:
    """How the archive of this name is packed.

    Raises KeyError for a name that no version of this tool gives.
    """
    return {each.ending: each for each in COMPRESSIONS}[f".{archive.rpartition('.')[2]}"]
