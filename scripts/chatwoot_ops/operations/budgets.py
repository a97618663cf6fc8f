"""Whether the newest backup, the last drill and the last measured recovery keep what the settings promise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.check import Check, Outcome, failed, passed
from chatwoot_ops.model.duration import parse_duration, show_duration
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.ages import age_check
from chatwoot_ops.operations.known import Known
from chatwoot_ops.operations.off_site_checks import off_site_checks
from chatwoot_ops.operations.wal_off_site import noted_wal_checks
from chatwoot_ops.operations.watching import scheduled_checks

BACKUP_AGE, DRILL_AGE, RESTORE_TIME = "backup age", "drill age", "restore time"
TAKE, DRILL = "Type 'invoke backup'; 'invoke schedule' does it every night", "Type 'invoke drill'"
SHRINK = "Take a kind of set that is faster to restore, or promise less: docs/how-to/schedule-backups.md"
Ask = Callable[[Stack, Host, Known, str], Check]


def budget_checks(stack: Stack, host: Host, known: Known) -> tuple[Check, ...]:
    """The budgets, the copies and the WAL off-site, the schedule and its tasks. What cannot be read is a failure."""
    budgets: tuple[tuple[str, str, Ask], ...] = (
        (BACKUP_AGE, "BACKUP_MAX_AGE", _backup_age),
        (DRILL_AGE, "DRILL_MAX_AGE", _drill_age),
        (RESTORE_TIME, "RESTORE_TIME_TARGET", _restore_time),
    )
    kept = tuple(_budget(stack, host, known, *each) for each in budgets)
    off_site = (*off_site_checks(stack, host, known), *noted_wal_checks(stack, host))
    return (*kept, *off_site, *scheduled_checks(stack, host))


def _budget(  # noqa: PLR0917 - a row of the table above
    stack: Stack, host: Host, known: Known, name: str, setting: str, ask: Ask
) -> Check:
    text = stack.settings[setting]
    if not text:
        return Check(name, Outcome.NOT_CONFIGURED, f"{setting} is empty")
    try:
        return ask(stack, host, known, text)
    except (OpsError, ValueError, LookupError, OSError) as error:
        return failed(name, f"could not check: {error}", f"Put that right; then look at {setting} in .env")


def _backup_age(stack: Stack, host: Host, known: Known, budget: str) -> Check:
    sets = known.whole_of(stack.settings["CHATWOOT_INSTANCE_ID"])
    if not sets:
        return failed(BACKUP_AGE, f"no whole set, at most {budget} is allowed", TAKE)
    newest = sets[-1].manifest
    made = datetime.fromisoformat(newest.created)
    return age_check(
        Check(BACKUP_AGE, Outcome.PASS, f"newest set {newest.name}", TAKE), host.clock.now() - made, budget
    )


def _drill_age(_: Stack, host: Host, known: Known, budget: str) -> Check:
    last = known.last_passed()
    if last is None:
        return failed(DRILL_AGE, f"no drill has passed, at most {budget} is allowed", DRILL)
    seen = f"last drill that passed, of {last.set}{f' ({last.unsealed})' if last.unsealed else ''},"
    return age_check(
        Check(DRILL_AGE, Outcome.PASS, seen, DRILL), host.clock.now() - datetime.fromisoformat(last.ended), budget
    )


def _restore_time(_: Stack, _host: Host, known: Known, budget: str) -> Check:
    last = known.last_passed()
    if last is None:
        return failed(RESTORE_TIME, f"not measured yet, at most {budget} is allowed", DRILL)
    seen = f"{last.set} was back in {show_duration(last.recovery_seconds)}, at most {budget}"
    return (
        failed(RESTORE_TIME, seen, SHRINK)
        if last.recovery_seconds > parse_duration(budget)
        else passed(RESTORE_TIME, seen)
    )
