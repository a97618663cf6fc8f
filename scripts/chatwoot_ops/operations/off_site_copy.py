"""The copy of a set at the remote: whose name it is, what is missing, what is wrong with it, and its manifest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chatwoot_ops.adapters.backup_store import checksum_problems
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.pulled_set import digest_of
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError
from chatwoot_ops.model.backup_set import MANIFEST, Artifact, BackupSet
from chatwoot_ops.model.remote import CLAIM, readable
from chatwoot_ops.operations.remote import Bucket

# How long it may take from a look at a name to what is written because of it, where the server sees to nothing.
SETTLED_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Copy:
    """A set and the folder of its copy; `twins` are objects of other sets there, by the SHA-256 of their content."""

    bucket: Bucket
    set: BackupSet
    twins: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Where its objects are, without the last slash."""
        return self.bucket.remote.folder(self.set.manifest.instance, self.set.manifest.name)

    @property
    def owner(self) -> str:
        """The object that says whose the name is."""
        return f"{self.folder}/{CLAIM}"

    @property
    def claim(self) -> str:
        """What it says where the name is this set's."""
        return json.dumps({"manifest": hashlib.sha256(self.manifest.encode()).hexdigest()}) + "\n"

    @property
    def manifest(self) -> str:
        """The set's manifest, byte for byte."""
        return (Path(self.set.path) / MANIFEST).read_text(encoding="utf-8")

    def send(self, artifact: Artifact) -> int:
        """Sends an artifact; returns the bytes that went out."""
        return self.bucket.store.send(f"{self.folder}/{artifact.name}", Path(self.set.path) / artifact.name)

    def copied(self, artifact: Artifact) -> bool:
        """Whether the server copied it from a set that is there already; it is read back like what was sent."""
        twin = self.twins.get(artifact.sha256, "")
        return bool(twin) and self.bucket.store.copy(twin, f"{self.folder}/{artifact.name}")

    def problem(self, artifact: Artifact) -> str:
        """What is wrong with the artifact's copy; reads all of it."""
        name = f"{self.folder}/{artifact.name}"
        if name not in self.bucket.store.sizes(self.folder):
            return f"{artifact.name}: is not there although the server took it"
        return digest_of(artifact, self.bucket.store.read(name))


def twins_of(bucket: Bucket, backup_set: BackupSet, others: Iterable[BackupSet]) -> dict[str, str]:
    """What of a set lies at the remote already in another one, which was read back: object names by SHA-256."""
    manifests = [each.manifest for each in others if each.off_site and each.path != backup_set.path]
    return {
        artifact.sha256: f"{bucket.remote.folder(manifest.instance, manifest.name)}/{artifact.name}"
        for manifest in manifests
        for artifact in manifest.artifacts
    }


def require_sound(copy: Copy) -> None:
    """Raises BackupSetInvalidError where the set is not whole here: such a one is not worth sending."""
    problems = checksum_problems(copy.set)
    if problems:
        remedy = "Take another set ('invoke backups'). Nothing was sent."
        raise BackupSetInvalidError(f"The set {copy.set.manifest.name} is damaged", details=problems, remedy=remedy)


def claim(copy: Copy, host: Host) -> None:
    """The name at the remote belongs to the set with this manifest from here on; two hosts cannot both have it.

    Raises BackupSetInvalidError where it belongs to another one, which is not touched.
    """
    store, manifest = copy.bucket.store, f"{copy.folder}/{MANIFEST}"
    same = store.text(manifest) in {None, copy.manifest}
    unclaimed = same or store.text(copy.owner) is not None
    if unclaimed and store.put_new(copy.owner, copy.claim) and not store.refuses_another(copy.owner, copy.claim):
        # Whoever looked before this was written has written by then; whoever looks later sees it.
        host.clock.sleep(SETTLED_SECONDS)
    _require_own(copy)
    if not same:
        # Ours, by the claim, and damaged since: it is no set until it is whole again.
        store.remove((manifest,))


def _require_own(copy: Copy) -> None:
    if copy.bucket.store.text(copy.owner) != copy.claim:
        text = f"Another set of the name {copy.set.manifest.name} is at {copy.bucket.remote.url} already"
        remedy = "Two hosts have the same CHATWOOT_INSTANCE_ID: give each its own prefix in BACKUP_REMOTE."
        raise BackupSetInvalidError(text, details=("It was not touched; its content is another.",), remedy=remedy)


def absent(copy: Copy) -> list[Artifact]:
    """The artifacts that are not there, or not in their size."""
    there = copy.bucket.store.sizes(copy.folder)
    return [each for each in copy.set.manifest.artifacts if there.get(f"{copy.folder}/{each.name}") != each.size]


def publish(copy: Copy) -> None:
    """Writes the manifest and reads it back: from here on there is a set at the remote.

    Raises CommandFailedError where it is not what was sent, BackupSetInvalidError where the name is another's by now.
    """
    name = f"{copy.folder}/{MANIFEST}"
    _require_own(copy)
    copy.bucket.store.put_new(name, copy.manifest)
    if copy.bucket.store.text(name) != copy.manifest:
        raise CommandFailedError("the manifest at the remote is not what was sent")


def abandoned(copy: Copy) -> tuple[str, ...]:
    """Ends uploads of this set that were cut off; that they cost room is no reason to call the copy bad."""
    try:
        copy.bucket.store.abandon_uploads(copy.folder)
    except CommandFailedError as error:
        return (f"uploads that were cut off may still take room there: {error.message}",)
    return ()


def warnings(copy: Copy) -> tuple[str, ...]:
    """What an operator must know of a copy that is whole."""
    bare = readable(copy.set.manifest.artifacts)
    found = [f"whoever can read the bucket can read {', '.join(bare)}: they are not encrypted"] if bare else []
    if copy.bucket.remote.in_clear:
        found.append("BACKUP_REMOTE_ENDPOINT is not https: the set could be read on its way")
    return tuple(found)
