"""What is known here of the WAL that is off-site: the last segment of each chain, so that none goes before it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.files import ensure_private_folder, write_atomically


@dataclass(frozen=True, slots=True)
class WalNote:
    """The note below one state folder, of one remote."""

    state_folder: Path
    remote: str

    @property
    def _path(self) -> Path:
        return self.state_folder / "wal-off-site.json"

    def last(self) -> dict[str, str]:
        """The last segment that is there by chain; nothing where that cannot be read, or is of another remote."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            chains = found["chains"] if found["remote"] == self.remote else {}
            return {str(name): str(segment) for name, segment in chains.items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return {}

    def add(self, chain: str, segment: str) -> None:
        """Notes the last segment of a chain."""
        ensure_private_folder(self.state_folder)
        chains = {**self.last(), chain: segment}
        write_atomically(self._path, json.dumps({"remote": self.remote, "chains": chains}, sort_keys=True) + "\n")
