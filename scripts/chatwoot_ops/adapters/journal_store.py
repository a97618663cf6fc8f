"""The journal of the operation in progress and the ledger of those that ended, in the stack's state folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.files import append_line, ensure_private_folder, sync_folder, write_atomically
from chatwoot_ops.model.journal import Journal, LedgerEntry, Opening, Step, parse_journal, parse_ledger, to_line


@dataclass(frozen=True, slots=True)
class JournalStore:
    """Journal and ledger files in one state folder."""

    folder: Path
    clock: Clock

    @property
    def _journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def ledger(self) -> Path:
        """One JSON line for each operation that ended."""
        return self.folder / "ledger.jsonl"

    def entries(self) -> tuple[LedgerEntry, ...]:
        """What the ledger says, oldest first; a line that was cut off is left out."""
        if not self.ledger.exists():
            return ()
        return parse_ledger(_text(self.ledger))

    def read(self) -> Journal | None:
        """The operation that began and did not end, or None."""
        try:
            return parse_journal(_text(self._journal))
        except FileNotFoundError:
            return None

    def open(self, opening: Opening, carried: tuple[Step, ...] = ()) -> None:
        """Begins a journal in one step; `carried` are the steps of the operation that this one finishes or undoes."""
        ensure_private_folder(self.folder)
        records: tuple[Opening | Step, ...] = (opening, *carried)
        write_atomically(self._journal, "".join(to_line(record) + "\n" for record in records))

    def step(self, name: str, facts: Mapping[str, Any] | None = None) -> None:
        """Announces a step; the line is on disk before the step is made."""
        append_line(self._journal, to_line(Step(name, self.clock.stamp(), facts or {})))

    def close(self, opening: Opening, outcome: str, *, keep: bool = False) -> None:
        """Writes the ledger first, then takes the journal away: a crash between the two leaves the journal.

        With `keep` it stays: the operation was a recovery that failed, and what it was to end has not been ended.
        """
        ended = self.clock.stamp()
        target = str(opening.options.get("target", ""))
        entry = LedgerEntry(opening.operation, opening.id, opening.user, opening.started, ended, outcome, target)
        append_line(self.ledger, to_line(entry))
        if keep:
            return
        self._journal.unlink(missing_ok=True)
        sync_folder(self.folder)


def _text(path: Path) -> str:
    # A line that was being written when the power went may hold anything: it becomes a line that is no record.
    return path.read_text(encoding="utf-8", errors="replace")
