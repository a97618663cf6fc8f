"""Whether the finished WAL gets off-site in time: told from the notes here, and, for `doctor`, from the lists there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.wal_note import WalNote
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.check import Check, failed, passed, warned
from chatwoot_ops.model.duration import parse_duration, show_duration
from chatwoot_ops.model.reach import moment_of
from chatwoot_ops.model.remote import remote_of
from chatwoot_ops.model.remote_wal import RemoteChain
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.wal import Chain, number
from chatwoot_ops.operations.ages import TOLERANCE
from chatwoot_ops.operations.remote import Bucket, open_bucket
from chatwoot_ops.operations.remote_chains import chain_there, folder_of
from chatwoot_ops.operations.schedule import times_of
from chatwoot_ops.operations.wal import read_chains
from chatwoot_ops.operations.wal_push import finished, lacking, start_there
from chatwoot_ops.operations.watching import due_at

NOTED, THERE, TASK = "WAL off-site", "WAL at the remote", "push-wal"
PUSH = "Type 'invoke push --wal'; where it brings nothing, 'invoke backup --kind physical' first"
LOOK = "docs/how-to/point-in-time.md says what can be the matter; then type 'invoke push --wal'"
There = Callable[[Chain], tuple[str, ...]]


def noted_wal_checks(stack: Stack, host: Host) -> tuple[Check, ...]:
    """From the note of what was brought: whether finished WAL waits too long. Asks the archive here and no network."""
    remote = remote_of(stack.settings.values)
    if remote is None or not stack.archives:
        return ()
    last = WalNote(stack.state_folder, remote.url).last()
    return (_checked(NOTED, lambda: _judged(stack, host, NOTED, remote.url, lambda chain: _up_to(chain, last))),)


def remote_wal_checks(stack: Stack, host: Host) -> tuple[Check, ...]:
    """The same from the lists at the remote itself, and whether it still holds what they name; given up in seconds."""
    if remote_of(stack.settings.values) is None or not stack.archives:
        return ()
    return (_checked(THERE, lambda: _asked(stack, host)),)


def _checked(name: str, ask: Callable[[], Check]) -> Check:
    try:
        return ask()
    except OpsError as error:
        return failed(name, f"could not check: {'; '.join((error.message, *error.details))}", error.remedy or LOOK)
    except ValueError as error:
        return failed(name, f"could not check: {error}", LOOK)


def _asked(stack: Stack, host: Host) -> Check:
    bucket, gone = open_bucket(stack, host, quick=True), list[str]()

    def listed(chain: Chain) -> tuple[str, ...]:
        found = chain_there(bucket, stack.settings["CHATWOOT_INSTANCE_ID"], chain)
        gone.extend(_gone(stack, bucket, found))
        return found.chain.segments

    check = _judged(stack, host, THERE, bucket.remote.url, listed)
    if gone:
        return failed(THERE, f"{len(gone)} listed segments are not there as they were sent, such as {gone[0]}", LOOK)
    return check


def _gone(stack: Stack, bucket: Bucket, found: RemoteChain) -> list[str]:
    folder = folder_of(bucket, stack.settings["CHATWOOT_INSTANCE_ID"], found.chain.name)
    sizes = bucket.store.sizes(folder) if found.there else {}
    return [each.object for each in found.there if sizes.get(f"{folder}/{each.object}") != each.size]


def _up_to(chain: Chain, last: dict[str, str]) -> tuple[str, ...]:
    """What is noted to be there: all of the chain up to the last that was brought, which may be gone here."""
    if (end := last.get(chain.name)) is None:
        return ()
    return (*(each for each in chain.segments if number(chain, each) < number(chain, end)), end)


def _judged(stack: Stack, host: Host, name: str, url: str, there: There) -> Check:
    chains = read_chains(stack, host)
    if not chains:
        return warned(name, "the archive holds no chain yet", LOOK)
    # A chain that is no longer written counts only where a set there goes on with it.
    found = [_waiting(stack, url, each, there(each), newest=each is chains[-1]) for each in chains]
    waiting = sorted(moment for moments in found for moment in moments)
    return _told(stack, host, name, waiting)


def _waiting(stack: Stack, url: str, chain: Chain, there: tuple[str, ...], *, newest: bool) -> list[datetime]:
    """When the segments that should be brought were finished."""
    start = start_there(stack, url, chain)
    if newest and not (there or start):
        found = finished(chain)
    else:
        found = lacking(chain, there, start) if newest or start else []
    return [moment_of(chain.written[each]) for each in found]


def _told(stack: Stack, host: Host, name: str, waiting: list[datetime]) -> Check:
    if not waiting:
        return passed(name, "all finished segments are there")
    now, (limit, said) = host.clock.now(), _limit(stack, host)
    age = now - waiting[0]
    if age < -TOLERANCE:
        return failed(name, "could not check: a segment is of a time that has not come yet", "Set the clock")
    seen = f"{len(waiting)} finished segments wait, the oldest for {show_duration(max(age.total_seconds(), 0))}"
    if limit is None or waiting[0] >= limit:
        return passed(name, seen)
    return failed(name, f"{seen}, {said}", PUSH)


def _limit(stack: Stack, host: Host) -> tuple[datetime | None, str]:
    """Before when nothing that waits may have been finished, by the stricter of the budget and the schedule."""
    limits: list[tuple[datetime, str]] = []
    if budget := stack.settings["BACKUP_MAX_AGE"]:
        limits.append((host.clock.now() - timedelta(seconds=parse_duration(budget)), f"at most {budget}"))
    if TASK in times_of(stack):
        due = due_at(stack, host, TASK)
        limits.append((due, f"a push was due {due:%Y-%m-%dT%H:%M:%SZ}"))
    return max(limits, default=(None, ""))
