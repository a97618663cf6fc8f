"""The certificates of past drills on disk, and the page that shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chatwoot_ops.adapters.files import ensure_private_folder, write_atomically
from chatwoot_ops.errors import CommandFailedError
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

    def certificates(self) -> tuple[Certificate, ...]:
        """All that can be read, oldest first."""
        return tuple(found for _, found in self._all() if found is not None)

    def last_passed(self) -> Certificate | None:
        """The one that passed and ended last, None where none has passed.

        Raises CommandFailedError for one that cannot be read: it may be of a later drill, which failed or passed.
        """
        if torn := self.damaged():
            text = f"The certificate {torn[0]} cannot be read"
            raise CommandFailedError(text, remedy="Move the file away, or run another drill.")
        passed = (each for each in self.certificates() if each.passed)
        return max(passed, key=lambda each: datetime.fromisoformat(each.ended), default=None)

    def damaged(self) -> tuple[str, ...]:
        """Names of the files that cannot be read as a certificate."""
        return tuple(path.name for path, found in self._all() if found is None)

    def _all(self) -> Iterator[tuple[Path, Certificate | None]]:
        for path in sorted(self.folder.glob("*.json")):
            try:
                yield path, parse_certificate(path.read_text(encoding="utf-8", errors="replace"))
            except (OSError, ValueError):
                yield path, None
