"""Notes of scheduled runs in the state folder: one file for each task, and since when there is a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chatwoot_ops.adapters.files import ensure_private_folder, remove_file, write_atomically
from chatwoot_ops.model.run_note import RunNote, parse_note, to_json


@dataclass(frozen=True, slots=True)
class RunNotes:
    """The notes below one state folder."""

    state_folder: Path

    @property
    def _folder(self) -> Path:
        return self.state_folder / "runs"

    @property
    def _since(self) -> Path:
        return self._folder / "schedule-installed"

    def write(self, note: RunNote) -> None:
        """Replaces the note of a task in one step."""
        self._prepare()
        write_atomically(self._folder / f"{note.task}.json", to_json(note))

    def read(self, task: str) -> RunNote | None:
        """The note of a task, None where it never ran.

        Raises ValueError where it cannot be read.
        """
        try:
            return parse_note((self._folder / f"{task}.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ValueError(f"it cannot be read: {error.strerror}") from error

    def installed(self, at: str) -> None:
        """Notes since when there is a schedule."""
        self._prepare()
        write_atomically(self._since, f"{at}\n")

    def forget(self) -> None:
        """Forgets schedule and runs: what no longer runs by itself can neither fail nor be missed."""
        for path in (self._since, *self._folder.glob("*.json")):
            if path.exists():
                remove_file(path)

    def since(self) -> datetime | None:
        """Since when there is a schedule, None where there is none.

        Raises ValueError where that cannot be read.
        """
        try:
            found = datetime.fromisoformat(self._since.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ValueError(f"it cannot be read: {error.strerror}") from error
        if found.tzinfo is None:
            raise ValueError("it has no time zone")
        return found

    def _prepare(self) -> None:
        for folder in (self.state_folder, self._folder):
            ensure_private_folder(folder)
