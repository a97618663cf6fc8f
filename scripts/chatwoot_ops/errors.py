"""Every error this package raises on purpose, each with its exit code.

The first digit tells the state of the stack: 1x refused and nothing was touched, 2x failed and the stack is as it
was or the command can be run again, 3x a person must look. `docs/reference/exit-codes.md` is the operator's table.
"""

from __future__ import annotations


class OpsError(Exception):
    """An expected failure: what failed, why, and what to type next.

    `details` are one line each: all problems at once, never only the first.
    """

    code = 1

    def __init__(self, message: str, *, details: tuple[str, ...] = (), remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.remedy = remedy


class RefusedError(OpsError):
    """Nothing was touched."""


class SettingsInvalidError(RefusedError):
    """`.env` is missing, cannot be read, or holds values that cannot work; lists all of them."""

    code = 10


class PreflightFailedError(RefusedError):
    """The machine cannot carry the stack; lists each check that failed, with its remedy."""

    code = 11


class StackLockedError(RefusedError):
    """Another operation holds the lock, or one that was cut off has not been ended yet."""

    code = 12


class BackupSetInvalidError(RefusedError):
    """The backup set is missing, not sealed, damaged, foreign, or of a format or release that cannot be restored."""

    code = 13


class ConfirmationMissingError(RefusedError):
    """The task would destroy data and was neither confirmed nor asked at a terminal."""

    code = 14


class ReleaseRefusedError(RefusedError):
    """The image is no release of the Community Edition that this stack can run."""

    code = 15


class FailedError(OpsError):
    """The stack runs what it ran before, or the command can be run again."""


class CommandFailedError(FailedError):
    """A program exited badly or ran out of time; says its purpose, its code and its last lines."""

    code = 20


class StackUnhealthyError(FailedError):
    """A service did not become healthy before the deadline."""

    code = 21


class BackupFailedError(FailedError):
    """No sealed set was made; what there was of it has been removed."""

    code = 22


class UpgradeRolledBackError(FailedError):
    """The upgrade failed; release and data are as they were before it, and proved."""

    code = 23


class ProvisioningFailedError(FailedError):
    """Chatwoot refused what set-up asked of it, or did not answer."""

    code = 24


class ChecksFailedError(FailedError):
    """Smoke, doctor, rehearsal or drill found a failure."""

    code = 25


class RestoreFailedError(FailedError):
    """The restore failed; the data from before it is in service."""

    code = 26


class IndexesMissingError(FailedError):
    """The restored data serves, but indexes of its dump are still to be built; recovery builds them."""

    code = 27


class NeedsOperatorError(OpsError):
    """The stack is not as it was; a person must look."""


class NothingServesError(NeedsOperatorError):
    """The restore failed and the old data could not be put back into service; it is still in its volume."""

    code = 30


class RollbackFailedError(NeedsOperatorError):
    """The upgrade failed and the release before it could not be put back into service."""

    code = 31


class InterruptedByOperatorError(OpsError):
    """Ctrl-C or SIGTERM; what was begun has been cleaned up."""

    code = 130
