"""Removes backup sets that no rule keeps; what it removes was shown first, and is asked about again under the lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.set_lock import nobody_reading
from chatwoot_ops.adapters.set_notes import finish_removals, lacking, remove_set
from chatwoot_ops.errors import CommandFailedError, ConfirmationMissingError, SettingsInvalidError
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.retention import Candidate, Policy, Verdict, decide
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.protection import protected


@dataclass(frozen=True, slots=True)
class PrunedSet:
    """A set with the rules that keep it; none of them means that it goes. `size` is in bytes."""

    name: str
    created: str
    size: int
    kept_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pruned:
    """The sets of a folder, newest first, with what keeps each; folders that are no whole set; what was removed."""

    folder: str
    sets: tuple[PrunedSet, ...]
    damaged: tuple[str, ...]
    removed: tuple[str, ...] = ()

    @property
    def going(self) -> tuple[PrunedSet, ...]:
        """The sets that no rule keeps."""
        return tuple(each for each in self.sets if not each.kept_by)


def planned(stack: Stack) -> Pruned:
    """What each set is kept by, and which would go; nothing is touched.

    Raises SettingsInvalidError where every rule is 0.
    """
    policy = policy_of(stack)
    store = store_of(stack)
    sets = {Path(each.path).name: each for each in store.sets()}
    damaged = {name for name, each in sets.items() if lacking(each) or not _made(each)}
    whole = {name: each for name, each in sets.items() if name not in damaged}
    verdicts = decide([_candidate(name, each) for name, each in whole.items()], policy, protected(stack, whole))
    return Pruned(
        str(store.folder),
        tuple(_pruned(verdict, whole[verdict.name]) for verdict in verdicts),
        tuple(sorted({*damaged, *store.damaged()})),
    )


def intended_prune(stack: Stack, _host: Host) -> Pruned:
    """The dry run."""
    return planned(stack)


def _pruned(verdict: Verdict, backup_set: BackupSet) -> PrunedSet:
    return PrunedSet(verdict.name, backup_set.manifest.created, backup_set.size, verdict.kept_by)


def policy_of(stack: Stack) -> Policy:
    """The rules of the settings.

    Raises SettingsInvalidError where every rule is 0.
    """
    rules = ("LAST", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
    policy = Policy(*(int(stack.settings[f"BACKUP_KEEP_{rule}"]) for rule in rules))
    if policy.keeps_nothing:
        remedy = "Give one of them a value, such as BACKUP_KEEP_LAST=1. Nothing was changed."
        raise SettingsInvalidError("Every BACKUP_KEEP_... is 0: no rule would keep a set", remedy=remedy)
    return policy


def _candidate(name: str, backup_set: BackupSet) -> Candidate:
    return Candidate(
        name,
        backup_set.manifest.sequence,
        _made(backup_set) or datetime.min.replace(tzinfo=UTC),
        verified=bool(backup_set.verified),
        marked=backup_set.kept,
        needs=backup_set.needs,
    )


def _made(backup_set: BackupSet) -> datetime | None:
    try:
        return datetime.fromisoformat(backup_set.manifest.created)
    except ValueError:
        return None


def prune(stack: Stack, host: Host, *, yes: bool = False, resume: Journal | None = None) -> Pruned:
    """Removes the sets that no rule keeps, once they were shown and it was confirmed.

    Raises ConfirmationMissingError, CommandFailedError where something could not be removed.
    """
    plan = planned(stack)
    shown = agreed(plan, host, yes=yes, resume=resume)
    with changing(stack, host, "prune", {"names": shown}, resume=resume) as change:
        _finish_what_was_begun(stack, change)
        # Seen anew under the lock: what was marked, or became the last verified one meanwhile, stays.
        plan = planned(stack)
        going = (each.name for each in plan.going if each.name in shown)
        removed = tuple(name for name in going if _remove(Path(plan.folder) / name, change))
    return replace(plan, removed=removed)


def _remove(folder: Path, change: Change) -> bool:
    """Removes a set, unless a task began to read it a moment ago."""
    with nobody_reading(folder) as why:
        if why:
            change.host.reporter.note(f"{folder.name} stays: {why}")
            return False
        change.step("remove-set", f"Removing {folder.name}", name=folder.name)
        remove_set(folder)
        return True


def agreed(plan: Pruned, host: Host, *, yes: bool, resume: Journal | None) -> tuple[str, ...]:
    """Names of the sets that may go: those that were shown and confirmed now, or before the cut that is resumed.

    Raises ConfirmationMissingError.
    """
    if resume is not None:
        return tuple(str(name) for name in resume.opening.options.get("names", ()))
    if plan.going:
        _confirm(plan, host, yes=yes)
    return tuple(each.name for each in plan.going)


def _confirm(plan: Pruned, host: Host, *, yes: bool) -> None:
    """Shows what keeps each set; raises ConfirmationMissingError unless it was confirmed."""
    for each in plan.sets:
        host.reporter.note(f"{each.name}: {', '.join(each.kept_by) or 'goes, no rule keeps it'}")
    if not yes and not host.reporter.confirm(f"Remove {len(plan.going)} sets in {plan.folder}?"):
        raise ConfirmationMissingError("No set was removed: it was not confirmed", remedy="Add --yes.")


def _finish_what_was_begun(stack: Stack, change: Change) -> None:
    change.step("finish-removals", "Looking for removals that were cut off")
    left = finish_removals(stack.backup_folder)
    if left:
        remedy = f"Look at the rights of {stack.backup_folder}, then run it again."
        raise CommandFailedError("What is left of removed sets cannot be deleted", details=left, remedy=remedy)


def undo_prune(stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --undo` does: the set whose name was gone already is deleted, the others stay."""
    with changing(stack, host, "undo-prune", resume=journal) as change:
        _finish_what_was_begun(stack, change)
