"""The sets and certificates on this machine, read once for everything that is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chatwoot_ops.adapters.certificate_store import CertificateStore
from chatwoot_ops.adapters.set_notes import lacking
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of


@dataclass(frozen=True, slots=True)
class Known:
    """Sets and certificates, oldest first, and names of files that should be a certificate and cannot be read as one.

    `unread` is why the folder of the sets could not be read, "" where it was.
    """

    sets: tuple[BackupSet, ...]
    certificates: tuple[Certificate, ...]
    torn: tuple[str, ...]
    unread: str = ""

    def whole_of(self, instance: str) -> tuple[BackupSet, ...]:
        """The sets of an installation that are whole as far as that is seen without reading them.

        Raises CommandFailedError where the folder could not be read.
        """
        if self.unread:
            raise CommandFailedError(self.unread)
        return tuple(each for each in self.sets if each.manifest.instance == instance and not lacking(each))

    def last_passed(self) -> Certificate | None:
        """The certificate that passed and ended last, None where none has passed.

        Raises CommandFailedError for one that cannot be read: it may be of a later drill, which failed or passed.
        """
        if self.torn:
            text = f"The certificate {self.torn[0]} cannot be read"
            raise CommandFailedError(text, remedy="Move the file away, or run another drill.")
        passed = (each for each in self.certificates if each.passed)
        return max(passed, key=lambda each: datetime.fromisoformat(each.ended), default=None)


def look_at(stack: Stack) -> Known:
    """What there is now."""
    certificates, torn = CertificateStore(stack.state_folder).read()
    try:
        sets, unread = store_of(stack).sets(), ""
    except OSError as error:
        sets, unread = (), f"{stack.backup_folder} cannot be read: {error.strerror}"
    return Known(sets, certificates, torn, unread)
