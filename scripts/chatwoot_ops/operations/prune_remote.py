"""Removes off-site copies that no rule keeps; the rules and the asking are those of the sets here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_notes import mark_off_site_ended
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.retention import Candidate, decide
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.protection import BASE, BEFORE_UPGRADE, note_of_the_way_back
from chatwoot_ops.operations.prune import Pruned, PrunedSet, agreed, policy_of
from chatwoot_ops.operations.remote import Bucket, RemoteSet, list_remote, open_bucket
from chatwoot_ops.operations.remote_chains import prune_chains


def planned_remote(stack: Stack, host: Host) -> Pruned:
    """What each copy of this installation is kept by, and which would go; those of others are not even shown.

    Raises SettingsInvalidError where every rule is 0 or no remote is set.
    """
    policy, own = policy_of(stack), stack.settings["CHATWOOT_INSTANCE_ID"]
    found = list_remote(stack, host)
    mine = {each.manifest.name: each for each in found.sets if each.manifest.instance == own}
    here = {each.manifest.name: each for each in store_of(stack).sets()}
    note = note_of_the_way_back(stack)
    protected = {name: BEFORE_UPGRADE for name, each in mine.items() if note and each.manifest.note.startswith(note)}
    physical = [(each.manifest.sequence, name) for name, each in mine.items() if each.manifest.physical]
    if physical and stack.archives:
        protected[max(physical)[1]] = BASE
    verdicts = decide([_candidate(each, here.get(name)) for name, each in mine.items()], policy, protected)
    sets = (
        PrunedSet(each.name, mine[each.name].manifest.created, mine[each.name].size, each.kept_by) for each in verdicts
    )
    return Pruned(found.remote, tuple(sets), (*found.damaged, *found.unfinished))


def _candidate(copy: RemoteSet, here: BackupSet | None) -> Candidate:
    """A copy as the rules see it: the newest one that was read back stays, as the last verified set does here."""
    return Candidate(
        copy.manifest.name,
        copy.manifest.sequence,
        datetime.fromisoformat(copy.manifest.created),
        verified=bool(copy.off_site),
        marked=here is not None and here.kept,
        needs=here.needs if here else (),
    )


def prune_remote(stack: Stack, host: Host, *, yes: bool = False, resume: Journal | None = None) -> Pruned:
    """Removes the copies that no rule keeps, once they were shown and it was confirmed.

    Raises ConfirmationMissingError, CommandFailedError where the remote refuses or does not answer.
    """
    plan = planned_remote(stack, host)
    shown = agreed(plan, host, yes=yes, resume=resume)
    bucket, own = open_bucket(stack, host), stack.settings["CHATWOOT_INSTANCE_ID"]
    with changing(stack, host, "prune-remote", {"names": shown}, resume=resume) as change:
        # Seen anew under the lock, as with the sets here; what lost its manifest already is ended.
        plan = planned_remote(stack, host)
        begun = {name for name in shown if f"{own}/{name}" in plan.damaged}
        removed = tuple(name for name in shown if name in begun | {each.name for each in plan.going})
        here = store_of(stack).sets()
        for name in removed:
            change.step("remove-copy", f"Removing the copy of {name}", name=name)
            bucket.remove_copy(own, name)
            _forget(here, name, host.clock.stamp())
        _prune_wal(change, bucket, own, plan, removed)
    return replace(plan, removed=removed)


def _prune_wal(change: Change, bucket: Bucket, own: str, plan: Pruned, removed: tuple[str, ...]) -> None:
    """Removes the WAL that no set there needs any more; none while one of them cannot be read: it may need it."""
    if set(plan.damaged) - {f"{own}/{name}" for name in removed}:
        return
    change.step("remove-wal", "Looking for WAL that no copy needs any more")
    kept = (bucket.manifest(own, each.name) for each in plan.sets if each.name not in removed)
    if gone := prune_chains(bucket, own, kept):
        change.host.reporter.note(f"{gone} segments of WAL removed that no copy needs any more")


def _forget(here: tuple[BackupSet, ...], name: str, at: str) -> None:
    for each in here:
        if each.manifest.name == name:
            mark_off_site_ended(each, at)
