"""Lines for people, one renderer for each kind of result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.text import Text

from chatwoot_ops.console import backup_sets, keeping, moving, off_site, scheduling
from chatwoot_ops.model.check import Check
from chatwoot_ops.operations.migrate import Migrated
from chatwoot_ops.operations.rehearse import Rehearsal
from chatwoot_ops.operations.setup import SetUp
from chatwoot_ops.operations.status import Status

_STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "not configured": "dim", "left out": "dim"}


def _checks(checks: tuple[Check, ...]) -> list[Text]:
    width = max((len(check.name) for check in checks), default=0)
    lines = []
    for check in checks:
        line = Text(f"{check.outcome.value:<14}  ", style=_STYLES[check.outcome.value])
        line.append(f"{check.name:<{width}}  {check.seen}", style="default")
        lines.append(line)
        if check.remedy and check.outcome in {"warn", "fail"}:
            lines.append(Text(f"{'':<14}  {'':<{width}}  -> {check.remedy}"))
    counted = {value: sum(check.outcome == value for check in checks) for value in _STYLES}
    lines.append(Text(", ".join(f"{count} {value}" for value, count in counted.items() if count)))
    return lines


def _status(status: Status) -> list[str]:
    return [
        f"project    {status.project}",
        f"release    {status.release}" + (f"  (a FAKE of {status.fake}, not a real Chatwoot)" if status.fake else ""),
        f"address    {status.url}",
        f"instance   {status.instance or 'not set up yet'}",
        f"ports      {', '.join(f'{name} {port}' for name, port in status.ports.items())}",
        *(
            f"service    {each.service:<18} {each.state}, {each.health or 'no health'}, {each.restarts} restarts"
            for each in status.services
        ),
        *(f"volume     {name:<24} {size}" for name, size in status.volumes.items()),
        f"migrations {_pending(status.pending_migrations)}",
        f"cut off    {status.cut_off or 'nothing'}",
        *([f"indexes    {_missing(status.missing_indexes)}"] if status.missing_indexes else []),
        f"backup     {status.last_backup or 'none yet: type invoke backup'}",
        f"drill      {status.last_drill or 'none yet: type invoke drill'}",
        f"archive    {status.archive}",
        *(f"watched    {check.name}: {check.outcome.value}, {check.seen}" for check in status.checks),
        f"state      {'healthy' if status.healthy else 'not healthy' if status.services else 'not running'}",
    ]


def _pending(pending: tuple[str, ...] | str) -> str:
    if isinstance(pending, str):
        return pending
    return f"{len(pending)} pending: {', '.join(pending)}" if pending else "none pending"


def _missing(missing: tuple[str, ...] | str) -> str:
    return missing if isinstance(missing, str) else f"searching is slow without {', '.join(missing)}"


def _set_up(result: SetUp) -> list[Text | str]:
    made: list[str] = []
    if result.administrator:
        made = [f"Administrator: {result.administrator} (account {result.account})"]
    if result.password:
        made.append(f"Password, shown this once: {result.password}")
    changed = [f"  {line}" for line in result.changed] or ["  nothing: everything was there already"]
    return [
        *_checks(result.checks),
        "Changed:",
        *changed,
        *made,
        f"Chatwoot {result.release} serves at {result.url}",
    ]


def _rehearsal(result: Rehearsal) -> list[Text | str]:
    width = max(len(step.name) for step in result.steps)
    steps = [f"{step.name:<{width}}  {step.seconds:6.1f} s" for step in result.steps]
    total = sum(step.seconds for step in result.steps)
    kind = (
        "sandbox images: a FAKE Chatwoot on a real PostgreSQL and Redis" if result.fake else "images from the registry"
    )
    recovery = [f"From loss to proof: {result.recovery_seconds} s"] if result.recovery_seconds else []
    return [
        *_checks(result.checks),
        *steps,
        f"{'in all':<{width}}  {total:6.1f} s",
        *recovery,
        f"The rehearsal passed on {kind}.",
    ]


def _migrated(result: Migrated) -> list[str]:
    lines = [f"{len(result.applied)} migrations ran, {result.total} are applied"]
    if result.data_migrations_waiting:
        lines.append(f"{result.data_migrations_waiting} data migrations wait for the worker; type 'invoke up'")
    return lines


RENDERERS: dict[str, Callable[[Any], Sequence[Text | str]]] = {
    "tuple": _checks,
    "Status": _status,
    "SetUp": _set_up,
    "Rehearsal": _rehearsal,
    "Migrated": _migrated,
    "SecretsFilled": lambda result: [f"Filled in {result.path}: {', '.join(result.filled) or 'nothing, all are set'}"],
    "Started": lambda result: [f"{'Was running already' if result.already else 'Runs and is healthy'}: {result.url}"],
    "TakenDown": lambda result: [f"Down. Volumes removed: {', '.join(result.removed) or 'none, all data is kept'}"],
    "Left": moving.left,
    "Intended": keeping.intended,
    "Restored": keeping.restored,
    "Adopted": lambda result: [*_checks(result.checks), *moving.adopted(result)],
    "Upgraded": keeping.upgraded,
    "RolledBack": keeping.rolled_back,
    "Backups": backup_sets.backups,
    "Schedule": scheduling.schedule,
    "RunNote": scheduling.run_note,
    "Pruned": backup_sets.pruned,
    "BackedUp": backup_sets.backed_up,
    "Pushed": off_site.pushed,
    "PushedAll": off_site.pushed_all,
    "WalPushed": off_site.wal_pushed,
    "Pulled": off_site.pulled,
    "RemoteBackups": off_site.remote_backups,
    "BackupSet": backup_sets.verified,
    "Certificate": lambda result: [*_checks(result.checks), *keeping.drilled(result)],
    "KeysMade": keeping.keys_made,
    "KeyProved": keeping.key_proved,
    "Recovered": lambda result: [result.text],
}
