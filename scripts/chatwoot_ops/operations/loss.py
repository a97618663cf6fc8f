"""What a restore or an undo would take away: the rows that are newer than its source, or were written since."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError, StackLockedError
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.database import ask_database
from chatwoot_ops.operations.source import Source

_NEWER = """
SELECT json_build_object(
  'conversations', (SELECT count(*) FROM conversations WHERE created_at > '{since}'::timestamptz),
  'messages', (SELECT count(*) FROM messages WHERE created_at > '{since}'::timestamptz),
  'contacts', (SELECT count(*) FROM contacts WHERE created_at > '{since}'::timestamptz),
  'newest', (SELECT max(created_at) FROM messages));
"""


def loss_of_restore(stack: Stack, host: Host, source: Source) -> tuple[str, ...]:
    """What would be lost, a line each; where the running data cannot be counted, that is said."""
    since = _since(source)
    try:
        lost = ask_database(stack, host, _NEWER.format(since=since))
    except OpsError:
        return ("The running data could not be counted: the database does not answer, or holds no Chatwoot yet.",)
    what = ", ".join(f"{lost[name]} {name}" for name in ("conversations", "messages", "contacts"))
    newer = "in the running data, all of which the dump replaces"
    if source.set:
        newer = f"newer than {since}" if source.recovery else f"newer than the set's newest message ({since})"
    return (f"Would be lost: {what} {newer}.", f"The newest message now is of {lost['newest'] or 'never'}.")


def loss_of_undo(operation: str, served: str, wrote: str, remedy: str) -> StackLockedError:
    """Why an operation is not undone: what customers `wrote` to what `served` by then."""
    text = f"Customers wrote to {served} (up to {wrote}); undoing the {operation} would lose that"
    return StackLockedError(text, remedy=remedy)


def _since(source: Source) -> str:
    if source.set is None:
        return "-infinity"
    if source.recovery:
        return source.recovery.moment
    manifest = source.set.manifest
    return manifest.data.newest_message or manifest.created
