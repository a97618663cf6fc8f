"""Brings several sets off-site: all that are not there yet, or those that an operation has just made."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import dropwhile

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.pushing import Pushed, push
from chatwoot_ops.operations.remote import open_bucket


@dataclass(frozen=True, slots=True)
class PushedAll:
    """The sets that were brought off-site now, oldest first."""

    sets: tuple[Pushed, ...]


def push_all(stack: Stack, host: Host) -> PushedAll:
    """Brings every set of this installation off-site that is not there yet, oldest first.

    Raises what push raises for the first one that fails; those before it are there then.
    """
    url, own = open_bucket(stack, host).remote.url, stack.settings["CHATWOOT_INSTANCE_ID"]
    mine = (each for each in store_of(stack).sets() if each.manifest.instance == own)
    waiting = [each for each in mine if not each.lies_at(url) and not each.off_site_ended]
    return PushedAll(tuple(push(stack, host, each.path) for each in waiting))


def push_since(stack: Stack, host: Host, name: str) -> tuple[str, ...]:
    """Brings the set of this name and those made after it off-site where BACKUP_REMOTE says where to; never raises.

    What could not be brought there is a line in the result, with what to type.
    """
    if not stack.settings["BACKUP_REMOTE"]:
        return ()
    paths = [each.path for each in dropwhile(lambda each: each.manifest.name != name, store_of(stack).sets())]
    return tuple(line for path in paths for line in _tried(stack, host, path))


def _tried(stack: Stack, host: Host, path: str) -> tuple[str, ...]:
    try:
        return push(stack, host, path).warnings
    except OpsError as error:
        return (" ".join((error.message, *error.details, error.remedy)).strip(),)
