"""Ends what was cut off while it worked on backup sets or on the schedule: the data that serves was never touched."""

from __future__ import annotations

from collections.abc import Callable

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.model.cluster import LOGICAL
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import changing
from chatwoot_ops.operations.keep import keep
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.prune import prune, undo_prune
from chatwoot_ops.operations.prune_remote import prune_remote
from chatwoot_ops.operations.pulling import finish_pull, undo_pull
from chatwoot_ops.operations.pushing import finish_push, push_archive
from chatwoot_ops.operations.schedule_install import install_schedule, undo_schedule
from chatwoot_ops.operations.wal_pull import end_pull_wal

Action = Callable[[Place, Stack, Host, Journal], object]


def _finish_backup(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    # A journal of an earlier version names no kind: it knew one.
    options = journal.opening.options
    kind, whole = str(options.get("kind", LOGICAL)), bool(options.get("whole"))
    back_up(stack, host, resume=journal, kind=kind, whole=whole)


def _undo_backup(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    with changing(stack, host, "undo-backup", resume=journal) as change:
        change.step("drop-partial", "Removing the set that was not sealed")
        store_of(stack).drop_partials()


def close(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    """For operations whose every step leaves the old state or the new one: there is nothing to put back."""
    name = f"undo-{journal.opening.operation.removeprefix('undo-')}"
    with changing(stack, host, name, resume=journal) as change:
        change.step("nothing", "Nothing has to be put back")


def _finish_keep(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    options = journal.opening.options
    keep(stack, host, str(options["name"]), off=bool(options["off"]), resume=journal)


def _finish_schedule(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    install_schedule(stack, host, remove=bool(journal.opening.options.get("remove")), resume=journal)


FINISH: dict[str, Action] = {
    "backup": _finish_backup,
    "undo-backup": _undo_backup,
    "push": finish_push,
    "undo-push": close,
    "push-wal": lambda _, stack, host, journal: push_archive(stack, host, resume=journal),
    "undo-push-wal": close,
    "pull-wal": end_pull_wal,
    "undo-pull-wal": end_pull_wal,
    "pull": finish_pull,
    "undo-pull": undo_pull,
    "prune-remote": lambda _, stack, host, journal: prune_remote(stack, host, resume=journal),
    "undo-prune-remote": close,
    "keep": _finish_keep,
    "undo-keep": close,
    "prune": lambda _, stack, host, journal: prune(stack, host, resume=journal),
    "schedule": _finish_schedule,
    "undo-schedule": lambda _, stack, host, journal: undo_schedule(stack, host, journal),
    "undo-prune": lambda _, stack, host, journal: undo_prune(stack, host, journal),
}
UNDO: dict[str, Action] = {
    **FINISH,
    "backup": _undo_backup,
    "push": close,
    "push-wal": close,
    "prune-remote": close,
    "pull": undo_pull,
    "keep": close,
    "prune": FINISH["undo-prune"],
    "schedule": FINISH["undo-schedule"],
}
