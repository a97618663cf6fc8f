"""Brings near what a restore takes from off-site: the set, and for a moment the WAL that goes on from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_lock import reading
from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.reach import LATEST, choose
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.moments import before_upgrade, read_moment, refuse_moment
from chatwoot_ops.operations.opening import Place, open_with
from chatwoot_ops.operations.pulling import open_for_pull, pull, settings_of_data
from chatwoot_ops.operations.remote import find_remote, open_bucket
from chatwoot_ops.operations.wal_pull import bring_wal, reachable_there


@contextmanager
def brought_near(
    place: Place, host: Host, where: Mapping[str, str], settings: str
) -> Iterator[tuple[Mapping[str, str], str]]:
    """A restore's source and settings file, the set fetched where it is to come from off-site, also for a dry run.

    No prune removes what was fetched while the block runs. A settings file that only leads to the remote has done its
    work then. Raises SettingsInvalidError for two sources, BackupSetInvalidError for a moment that nothing reaches.
    """
    if not where.get("remote"):
        yield where, settings
        return
    if where["dump"]:
        raise SettingsInvalidError("A restore has one source: --dump or --from-remote", remedy="Nothing was changed.")
    name = _set_for_moment(place, host, where, settings) if _of_moment(where) else where["set"]
    pulled = pull(place, host, name, settings).set
    with reading(pulled):
        yield {**where, "set": pulled.path, "way": settings}, settings_of_data(settings)


def _of_moment(where: Mapping[str, str]) -> bool:
    return bool(where.get("to") or where.get("before"))


def _set_for_moment(place: Place, host: Host, where: Mapping[str, str], settings: str) -> str:
    """The newest set there from which the moment can be reached, as INSTALLATION/NAME."""
    stack = open_for_pull(place, host, settings)
    asked = where.get("to") or before_upgrade(stack, host, where["before"])
    moment, bucket = read_moment(asked), open_bucket(stack, host)
    instance, named = find_remote(bucket, stack.settings["CHATWOOT_INSTANCE_ID"], where["set"])
    found = reachable_there(bucket, instance)
    if where["set"].rpartition("/")[2] != LATEST:
        found = tuple(span for span in found if span.set.manifest.name == named)
    span = choose(found, moment)
    if span is None:
        refuse_moment(asked, found)
    return f"{instance}/{span.set.manifest.name}"


def opened_near(place: Place, host: Host, where: Mapping[str, str], identity: Identity | None, given: str) -> Stack:
    """The stack; where a moment is asked for and the set came from off-site, the WAL that goes on from it is here too.

    `.env` may have come with the set, from a time before there was a remote: the way there is that of the set itself.
    Raises what open_with and bring_wal raise.
    """
    stack = open_with(place, host)
    if where.get("remote") and _of_moment(where):
        bucket = open_bucket(open_for_pull(place, host, where["way"]), host)
        bring_wal(stack, host, bucket, store_of(stack).find(where["set"]), identity, given)
    return stack
