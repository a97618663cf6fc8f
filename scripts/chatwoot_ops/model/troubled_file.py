"""A stored file with which something is wrong, and whose it is: what an operator must know to ask for it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chatwoot_ops.model.size import show_size

MISSING, WRONG, KEPT, ORPHANED = "missing", "wrong", "kept", "orphaned"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class TroubledFile:
    """One such file. `size` in bytes is what its row says, of an orphaned one what it has.

    `conversation` is the number that agents see (0 where it belongs to none), `record` what the file hangs on
    ("Attachment 7", "avatar of Contact 3", "" where nothing does). `filename` is customers' data: it belongs into
    an answer for a program and into a private file, never into a line of a log.
    """

    key: str
    trouble: str
    size: int
    account: int = 0
    conversation: int = 0
    message: int = 0
    record: str = ""
    filename: str = ""

    @property
    def place(self) -> str:
        """Where it belongs, in numbers alone; "" where no row of it is known."""
        if not self.filename:
            return ""
        if self.conversation:
            return f"conversation {self.conversation} of account {self.account}, message {self.message}"
        of_account = f" of account {self.account}" if self.account else ""
        return f"{self.record}{of_account}" if self.record else "of no record"

    @property
    def line(self) -> str:
        """All of it for people, but the file name."""
        return f"{self.trouble}: {self.key}" + (f", {self.place}, {show_size(self.size)}" if self.place else "")


def lines_of(files: Sequence[TroubledFile]) -> tuple[str, ...]:
    """The first of those that have a row and how many more there are, for people; without their file names."""
    told = [each.line for each in files if each.trouble != ORPHANED]
    more = len(told) - SHOWN
    return (*told[:SHOWN], *((f"and {more} more",) if more > 0 else ()))
