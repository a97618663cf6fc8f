"""The smoke check: asks the running stack from outside and inside whether it really works."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import ChecksFailedError, RestoreFailedError
from chatwoot_ops.model.check import Check, failures
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.probes import data, wal, web, worker
from chatwoot_ops.operations.probes.asking import asked, identity
from chatwoot_ops.operations.probes.cable import cable
from chatwoot_ops.operations.probes.services import services
from chatwoot_ops.operations.probes.webhooks import webhooks

Ask = Callable[[], Check | Iterable[Check]]


def smoke(stack: Stack, host: Host, *, quick: bool = False) -> tuple[Check, ...]:
    """Every probe's answer. With `quick` what must wait is left out, and the answer says so.

    It changes nothing but one file that it writes into the storage and takes away, and never signs in.
    """
    host.reporter.step("Asking the running stack")
    parts: tuple[tuple[str, Ask], ...] = (
        ("services", lambda: services(stack, host)),
        ("web pages", lambda: web.pages(stack, host)),
        ("API token and live updates", lambda: _as_administrator(stack, host)),
        ("worker", lambda: _worker(stack, host, quick=quick)),
        ("database", lambda: data.database(stack, host)),
        ("writes", lambda: wal.writes(stack, host)),
        ("storage", lambda: data.storage(stack, host)),
        ("CORS", lambda: web.cors(stack, host)),
        ("webhook to KGC", lambda: webhooks(stack, host)),
        ("disk", lambda: data.disk(stack, host)),
    )
    return tuple(
        check for name, ask in parts for check in asked(name, ask, "Type 'invoke status', then 'invoke doctor'")
    )


def _as_administrator(stack: Stack, host: Host) -> list[Check]:
    who = identity(stack, host)
    return [*web.tokens(stack, host, who), *cable(stack, host, who)] if who else web.without_identity()


def _worker(stack: Stack, host: Host, *, quick: bool) -> list[Check]:
    facts = worker.queue_facts(stack, host)
    ran = worker.job_left_out() if quick else worker.job_ran(stack, host, int(facts["processed"]))
    return [*worker.worker(facts), ran, worker.mail(stack, facts)]


def require_smoke(checks: tuple[Check, ...]) -> None:
    """Raises ChecksFailedError naming every failed probe with its remedy; returns when there is none."""
    bad = failures(checks)
    if bad:
        details = tuple(f"{check.name}: {check.seen}\n    {check.remedy}" for check in bad)
        raise ChecksFailedError(f"{len(bad)} of {len(checks)} checks failed", details=details)


def require_well(stack: Stack, host: Host) -> None:
    """Raises RestoreFailedError where restored data does not serve, with every probe that failed.

    On a new machine the public address still leads to the old one; the data from before would not change that, so it
    is said and no more.
    """
    bad = failures(smoke(stack, host, quick=True))
    away = tuple(check for check in bad if check.name.endswith(web.PUBLIC))
    if away:
        host.reporter.note(f"FRONTEND_URL does not lead here yet: {away[0].name}: {away[0].seen}")
    if here := tuple(check for check in bad if check not in away):
        details = tuple(f"{check.name}: {check.seen}" for check in here)
        raise RestoreFailedError("The restored stack does not pass the smoke check", details=details)
