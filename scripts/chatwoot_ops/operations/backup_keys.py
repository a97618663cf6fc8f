"""Key pairs for encrypted sets: made here, kept elsewhere, and proved from time to time on the newest set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters import age
from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.files import write_new
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import PreflightFailedError, RefusedError, SettingsInvalidError
from chatwoot_ops.model.backup_settings import RECIPIENTS, recipients_in
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.secrets import existing_or_example


@dataclass(frozen=True, slots=True)
class KeysMade:
    """A pair that was made now: the public half, the file with the private one, and whether `.env` names it."""

    public: str
    file: str
    added: bool


def make_keys(place: Place, host: Host, to: str, *, add: bool = False) -> KeysMade:
    """Writes a new private key to a file of its own, and with `add` its public half into BACKUP_RECIPIENTS.

    Raises PreflightFailedError for a file that is there already, or that would lie beside what it opens.
    """
    if not to:
        raise RefusedError("Say where the private key goes", remedy="Add --to FILE, or --prove. Nothing was changed.")
    stack = unchecked_stack(place, existing_or_example(place))
    target = Path(to).expanduser().resolve()
    _refuse_place(place, stack, target)
    if add:
        _require_readable(place)
    public, private = age.make_pair()
    host.processes.secrets = (*host.processes.secrets, private)
    content = f"# public key: {public}\n# Opens the backup sets encrypted to it. Keep it off the server.\n{private}\n"
    if not add:
        write_new(target, content)
        return KeysMade(public, str(target), added=False)
    with changing(stack, host, "backup.keys", {"to": str(target)}) as change:
        write_new(target, content)
        _add(stack, change, public)
    return KeysMade(public, str(target), added=True)


def _add(stack: Stack, change: Change, public: str) -> None:
    change.step("add-recipient", f"Adding the public key to {RECIPIENTS}", public=public)
    file = read_env_file(stack.env_file)
    known = recipients_in(file.values)
    if public not in known:
        write_env_file(stack.env_file, with_values(file.text, {RECIPIENTS: ",".join((*known, public))}))


def finish_keys(stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --finish` does: the public half is in `.env` where its private one was written."""
    noted = journal.facts("add-recipient")
    with changing(stack, host, "backup.keys", journal.opening.options, resume=journal) as change:
        if noted:
            _add(stack, change, str(noted["public"]))


def _refuse_place(place: Place, stack: Stack, target: Path) -> None:
    checkout = place.compose_folder.resolve().parents[2]
    for folder, name in ((stack.backup_folder.resolve(), "the backup folder"), (checkout, "the checkout")):
        if target.is_relative_to(folder):
            text = f"{target} lies in {name}: it would be copied with the sets, or committed"
            raise PreflightFailedError(text, remedy="Name a file elsewhere, best on removable media.")
    if target.exists():
        text = f"{target} is there already; a key is never overwritten"
        raise PreflightFailedError(text, remedy="Name another file. Nothing was changed.")
    if not target.parent.is_dir():
        raise PreflightFailedError(f"There is no folder {target.parent}", remedy="Make it, or name another file.")


def _require_readable(place: Place) -> None:
    file = read_env_file(place.env_file)
    if file.damage:
        remedy = f"Correct {place.env_file}, then run this again. Nothing was changed."
        raise SettingsInvalidError("The settings file cannot be read reliably", details=file.damage, remedy=remedy)
