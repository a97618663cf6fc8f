"""What runs, how it is, and what was left half done. Looks and never touches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import is_held
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.check import Check
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.operations.backup_sets import age_in_hours, hours_since
from chatwoot_ops.operations.budgets import budget_checks
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.containers import Container, containers_of
from chatwoot_ops.operations.database import database_state, versions_of_image
from chatwoot_ops.operations.images import fake_release
from chatwoot_ops.operations.indexes import missing_indexes
from chatwoot_ops.operations.known import Known, look_at
from chatwoot_ops.operations.volumes import volume_sizes
from chatwoot_ops.operations.wal import archive_line


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a stack. What could not be asked is "unknown" and why, never left out.

    `checks` are the budgets and the scheduled tasks: what fails there makes the task fail.
    """

    project: str
    release: str
    fake: str
    url: str
    instance: str
    services: tuple[Container, ...]
    ports: Mapping[str, int]
    volumes: Mapping[str, str]
    pending_migrations: tuple[str, ...] | str
    cut_off: str
    last_backup: str
    last_drill: str
    archive: str
    healthy: bool
    checks: tuple[Check, ...] = ()
    missing_indexes: tuple[str, ...] | str = ()


def status(stack: Stack, host: Host) -> Status:
    """The state of the stack.

    Raises CommandFailedError only when the engine itself does not answer.
    """
    services = containers_of(stack, host)
    sizes, known = volume_sizes(host), look_at(stack)
    return Status(
        project=stack.project,
        release=stack.settings["CHATWOOT_RELEASE"] or stack.images[RAILS],
        fake=fake_release(stack.images[RAILS], host),
        url=stack.settings["FRONTEND_URL"],
        instance=stack.settings["CHATWOOT_INSTANCE_ID"],
        services=services,
        ports=stack.ports,
        volumes={name: sizes.get(name, "not there") for name in stack.volumes.values()},
        pending_migrations=_pending(stack, host),
        cut_off=cut_off(stack, host),
        last_backup=_last_backup(stack, host, known),
        last_drill=_last_drill(host, known),
        archive=archive_line(stack, host),
        healthy={each.service for each in services if each.well} == set(stack.services),
        checks=budget_checks(stack, host, known),
        missing_indexes=_missing(stack, host),
    )


def _last_backup(stack: Stack, host: Host, known: Known) -> str:
    """Name and age of the newest sealed set, when it was verified and brought off-site; "" where there is none."""
    if not known.sets:
        return f"unknown: {known.unread}" if known.unread else ""
    newest = known.sets[-1]
    facts = [f"{newest.manifest.name}, {age_in_hours(newest, host)} hours old"]
    facts.append(f"verified {newest.verified} ({newest.how})" if newest.verified else "never verified")
    if stack.settings["BACKUP_REMOTE"]:
        facts.append(f"off-site {newest.off_site}" if newest.off_site else "not off-site: type invoke push")
    return ", ".join(facts)


def _last_drill(host: Host, known: Known) -> str:
    """Set, age and result of the last drill, "" where there was none; a certificate that cannot be read is said."""
    unread = tuple(f"{name} cannot be read as a certificate" for name in known.torn)
    told = tuple(_drilled(each, host) for each in known.certificates[-1:])
    return "; ".join((*told, *unread))


def _drilled(last: Certificate, host: Host) -> str:
    result = f"passed, recovery time {last.recovery_seconds} s" if last.passed else f"FAILED: {last.why}"
    result += f" ({last.unsealed})" if last.unsealed else ""
    return f"{last.set}, {hours_since(last.ended, host):.1f} hours ago, {result}"


def cut_off(stack: Stack, host: Host) -> str:
    """The operation that began and did not end, with its last step; "" when there is none or it still runs."""
    journal = store_of(stack, host).read()
    if journal is None or is_held(stack.project):
        return ""
    begun = f"{journal.opening.operation} of {journal.opening.started}"
    return f"{begun}, at step '{journal.last_step}'; type 'invoke recover'"


def _pending(stack: Stack, host: Host) -> tuple[str, ...] | str:
    try:
        return tuple(sorted(versions_of_image(stack, host) - database_state(stack, host).versions))
    except OpsError:
        return "unknown: the database or the image cannot be asked"


def _missing(stack: Stack, host: Host) -> tuple[str, ...] | str:
    try:
        return missing_indexes(stack, host)
    except OpsError:
        return "unknown: the database cannot be asked"
