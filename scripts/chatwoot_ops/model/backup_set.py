"""A backup set as data: its manifest, and what the manifest says of tables, sequences, files and artifacts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatwoot_ops.model.cluster import PHYSICAL, ClusterFacts
from chatwoot_ops.model.stored_files import Packing
from chatwoot_ops.model.verification import Level

FORMAT = 3
MANIFEST = "manifest.json"
ENCRYPTED = ".age"
DATABASE_ARTIFACT, STORAGE_ARTIFACT, SETTINGS_ARTIFACT = "database.dump", "storage.tar", f"settings.env{ENCRYPTED}"
CLUSTER_ARTIFACT = "cluster.tar"
LIST_ARTIFACT, KNOWN_ARTIFACT = "storage.list", "storage.known"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a set: its name, its size in bytes, and the SHA-256 of its content as hex."""

    name: str
    size: int
    sha256: str

    def difference(self, size: int, sha256: str) -> str:
        """What is wrong with content of this size and checksum, "" where it is the artifact's."""
        if size != self.size:
            return f"{self.name}: {size} bytes, the manifest says {self.size}"
        return "" if sha256 == self.sha256 else f"{self.name}: its content is not what was written"


@dataclass(frozen=True, slots=True)
class Encryption:
    """To which public keys (age1...) a set is encrypted, and whether all of it is (`whole`) or its settings only."""

    recipients: tuple[str, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class TableDigest:
    """Rows of a table, and a digest of their content that does not depend on their order ("": they were counted)."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class DataDigest:
    """What a database held in one snapshot. Sequences are no part of a snapshot, so each has a range.

    That of a physical set has no tables: the moment its cluster stands at is no snapshot that could be read.
    """

    tables: Mapping[str, TableDigest]
    sequences: Mapping[str, tuple[int, int]]
    migrations: tuple[str, ...]
    extensions: Mapping[str, str]
    triggers: int
    postgres: str
    newest_message: str


@dataclass(frozen=True, slots=True)
class StorageProof:
    """Files of the storage volume against the rows of `active_storage_blobs`, by size and MD5, both directions.

    `kept` are keys of files that the volume had lost or damaged, and that a set has from an earlier one all the same.
    """

    files: int
    bytes: int
    proved: int
    missing: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    orphaned: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether each row has its file, byte for byte."""
        return not self.missing and not self.wrong


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a set is and what restoring it must give; written last, so a set without one is not sealed.

    `sequence` counts the sets of a folder: the newest is the highest, whatever the clock said.
    """

    name: str
    kind: str
    sequence: int
    created: str
    instance: str
    release: str
    image: str
    data: DataDigest
    storage: StorageProof
    settings_included: bool
    fingerprints: Mapping[str, str]
    artifacts: tuple[Artifact, ...]
    tool: str
    format: int = FORMAT
    note: str = ""
    encryption: Encryption = field(default_factory=Encryption)
    cluster: ClusterFacts | None = None
    packing: Packing = field(default_factory=Packing)

    @property
    def physical(self) -> bool:
        """Whether the set holds the cluster's own files instead of a dump."""
        return self.kind == PHYSICAL

    @property
    def database_artifact(self) -> str:
        """Name of the artifact that holds the database, once it is open."""
        archives = (
            each.name.removesuffix(ENCRYPTED) for each in self.artifacts if each.name.startswith(f"{CLUSTER_ARTIFACT}.")
        )
        return next(archives, CLUSTER_ARTIFACT) if self.physical else DATABASE_ARTIFACT


@dataclass(frozen=True, slots=True)
class BackupSet:
    """A sealed set in its folder, with the time of its last verification ("" for never) and how thorough it was.

    `off_site` is when its copy off-site was last read back ("" for never), `remote` where that lies; `off_site_ended`
    is when retention removed that copy.
    `kept` says that it is marked; `needs` are names of sets without which it cannot be restored, none for a whole one.
    `shared` of its `size` in bytes are in files that another set has too: removing this one frees only the rest.
    `checksums_only` says that this verification had no private key to look into the artifacts with. `proved` is when
    the private key of `proved_key` (its public half) last opened all of it.
    """

    path: str
    manifest: Manifest
    verified: str = ""
    size: int = field(default=0)
    kept: bool = False
    needs: tuple[str, ...] = ()
    off_site: str = ""
    remote: str = ""
    off_site_ended: str = ""
    level: str = ""
    proved: str = ""
    proved_key: str = ""
    shared: int = 0

    @property
    def own(self) -> int:
        """Bytes that this set alone holds."""
        return self.size - self.shared

    @property
    def packs(self) -> tuple[Artifact, ...]:
        """The artifacts that hold its stored files, in the order of the manifest's packs; sealed or not."""
        sealed = {each.name.removesuffix(ENCRYPTED): each for each in self.manifest.artifacts}
        return tuple(sealed[each.name] for each in self.manifest.packing.packs)

    @property
    def checksums_only(self) -> bool:
        """Whether the last verification read nothing but checksums: it was asked no more, or had no private key."""
        return self.level == Level.CHECKSUMS

    @property
    def how(self) -> str:
        """How thorough the last verification was, for people."""
        return "checksums only" if self.checksums_only else self.level or Level.ARCHIVE

    def lies_at(self, url: str) -> bool:
        """Whether its copy was read back at this remote, and is not known to be gone since."""
        manifest = self.manifest
        return bool(self.off_site) and self.remote == f"{url}/{manifest.instance}/{manifest.name}"

    @property
    def encrypted_artifacts(self) -> tuple[Artifact, ...]:
        """The artifacts that only a private key opens."""
        return tuple(each for each in self.manifest.artifacts if each.name.endswith(ENCRYPTED))
