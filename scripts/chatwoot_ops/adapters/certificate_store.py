"""The certificates of past drills on disk, and the page that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.files import ensure_private_folder, write_atomically
from chatwoot_ops.model.certificate import Certificate, parse_certificate, to_json

FOLDER, PAGE = "drills", "index.html"


@dataclass(frozen=True, slots=True)
class CertificateStore:
    """The certificates in a stack's state folder."""

    state_folder: Path

    @property
    def folder(self) -> Path:
        """Where they lie, one file each, named by the time the drill began."""
        return self.state_folder / FOLDER

    def keep(self, stamp: str, certificate: Certificate) -> Path:
        """Writes a certificate in one step; returns its path.

        Raises CommandFailedError where it cannot be written.
        """
        for folder in (self.state_folder, self.folder):
            ensure_private_folder(folder)
        path = self.folder / f"{stamp}.json"
        write_atomically(path, to_json(certificate))
        return path

    def write_page(self, html: str) -> Path:
        """Writes the page beside them; returns its path."""
        path = self.folder / PAGE
        write_atomically(path, html)
        return path

    def read(self) -> tuple[tuple[Certificate, ...], tuple[str, ...]]:
        """All certificates, oldest first, and the names of the files that cannot be read as one."""
        found = tuple(self._all())
        return tuple(each for _, each in found if each), tuple(path.name for path, each in found if each is None)

    def _all(self) -> Iterator[tuple[Path, Certificate | None]]:
        for path in sorted(self.folder.glob("*.json")):
            try:
                yield path, parse_certificate(path.read_text(encoding="utf-8", errors="replace"))
            except (OSError, ValueError):
                yield path, None
