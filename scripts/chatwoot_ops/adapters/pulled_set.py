"""A set that is being fetched: artifacts that arrived whole stay, so that fetching goes on; the manifest comes last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.backup_store import PARTIAL, artifact_problem, seal_folder
from chatwoot_ops.adapters.files import ensure_private_folder, sync_file, sync_folder
from chatwoot_ops.model.backup_set import Artifact


@dataclass(frozen=True, slots=True)
class PulledSet:
    """The folder that a set is fetched into, under its temporary name."""

    folder: Path
    name: str

    @property
    def _partial(self) -> Path:
        return self.folder / f"{self.name}{PARTIAL}"

    def begin(self) -> None:
        """Makes the folder; one that an earlier attempt left is taken up."""
        ensure_private_folder(self.folder)
        ensure_private_folder(self._partial)

    def has(self, artifact: Artifact) -> bool:
        """Whether this artifact arrived earlier, whole; then it is on disk, also where its fetcher was killed."""
        if artifact_problem(self._partial, artifact):
            return False
        sync_file(self._partial / artifact.name)
        return True

    def write(self, artifact: Artifact, chunks: Iterable[bytes]) -> str:
        """Writes an artifact; returns what is wrong with it, "" where it is what the manifest says.

        What is wrong is not kept. Raises OSError where it cannot be written.
        """
        path = self._partial / artifact.name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        size, found = _written(path, chunks, artifact.size)
        if found == artifact.sha256:
            sync_folder(path.parent)
            return ""
        path.unlink()
        return artifact.difference(size, found)

    def path_of(self, artifact: Artifact) -> Path:
        """Where an artifact lies that arrived."""
        return self._partial / artifact.name

    def seal(self, manifest: str) -> Path:
        """Writes the manifest and gives the set its name in one step."""
        return seal_folder(self._partial, self.folder / self.name, manifest)


def _written(path: Path, chunks: Iterable[bytes], most: int) -> tuple[int, str]:
    """Size and SHA-256 of what was written; a stream that does not end is cut off after the size it should have."""
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        for chunk in chunks:
            size += len(chunk)
            if size > most:
                break
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return size, digest.hexdigest()


def digest_of(artifact: Artifact, chunks: Iterable[bytes]) -> str:
    """What is wrong with an artifact that is read and not kept, "" where it is what the manifest says."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
    return artifact.difference(size, digest.hexdigest())
