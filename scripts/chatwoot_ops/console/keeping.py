"""Lines for people: keys, sets off-site, and what serves after a restore, an upgrade or a rollback."""

from __future__ import annotations

from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.cluster import PHYSICAL
from chatwoot_ops.model.intended import Intended
from chatwoot_ops.model.size import show_size
from chatwoot_ops.operations.backup_keys import KeysMade
from chatwoot_ops.operations.key_proof import KeyProved
from chatwoot_ops.operations.restore_result import Restored
from chatwoot_ops.operations.rollback import RolledBack
from chatwoot_ops.operations.upgrade import Upgraded


def drilled(result: Certificate) -> list[str]:
    """A drill that ended."""
    fake = ["A FAKE of Chatwoot ran, not a real one."] if result.fake else []
    verdict = "The drill passed" if result.passed else "The drill FAILED"
    origin = [f"The set came from {result.origin}."] if result.origin else []
    return [
        *fake,
        *origin,
        f"{result.rows} rows in {result.tables} tables came back, {result.files_proved} stored files proved",
        *([f"It could be used after {result.usable_seconds} s."] if result.usable_seconds else []),
        f"{verdict}: {result.set} ({show_size(result.size_bytes)}) in {result.recovery_seconds} s.",
    ]


def keys_made(result: KeysMade) -> list[str]:
    """A key pair that was made now; the private half is never shown."""
    said = (
        "It stands in BACKUP_RECIPIENTS in .env now."
        if result.added
        else f"Write it into .env: BACKUP_RECIPIENTS={result.public} (after a comma where others stand there)."
    )
    return [
        f"Public key: {result.public}",
        said,
        f"The private key is in {result.file}. It does not belong on this server: move it to two places elsewhere,",
        "such as a password manager and a printed sheet, then delete it here. Without it nobody opens the sets.",
        "BACKUP_ENCRYPT=all encrypts whole sets and not only the settings in them.",
        "Prove what you keep after the next backup: invoke backup.keys --prove",
    ]


def key_proved(result: KeyProved) -> list[str]:
    """A private key that opened a set now."""
    size = show_size(result.size)
    return [f"The private key of {result.key} opens {result.set}: {size} were read to the end, and its keys are right."]


def restored(result: Restored) -> list[str]:
    """What serves after a restore."""
    storage = result.storage
    against = f"{len(storage.missing)} missing, {len(storage.wrong)} wrong, {len(storage.orphaned)} without a row"
    counted = f"{result.rows} rows in {result.tables} tables"
    proved = "each file of the cluster is what was backed up" if result.kind == PHYSICAL else counted
    return [
        f"{proved}, {result.keys}",
        f"{storage.proved} stored files proved, {against}",
        *result.notes,
        f"Restored {result.source} in {result.seconds} s; the database was away for {result.away_seconds} s of them.",
        f"Its data served after {result.serving_seconds} s.",
    ]


def upgraded(result: Upgraded) -> list[str]:
    """What serves after an upgrade."""
    if not result.set:
        return [f"{result.release} runs already, with all its migrations; nothing to do."]
    return [
        f"{result.migrations} migrations ran; out of service for {result.away_seconds} s",
        f"The set made before: {result.set}",
        *(f"warning: {line}" for line in result.warnings),
        f"{result.release} serves. Back to {result.before}: 'invoke rollback'",
    ]


def rolled_back(result: RolledBack) -> list[str]:
    """What serves after a rollback."""
    lost = ", ".join(f"{count} {name}" for name, count in result.lost.items()) or "nothing"
    return [f"{result.release} serves again with its data from before the upgrade; given up: {lost}"]


def intended(result: Intended) -> list[str]:
    """What a dry run found."""
    return [*(f"dry run: {line}" for line in result.lines), "dry run: nothing was changed"]
