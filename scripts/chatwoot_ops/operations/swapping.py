"""Puts a cluster that was proved into service in one step, and the old one back when anything goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, database, redis, staging
from chatwoot_ops.errors import InterruptedByOperatorError, NothingServesError, OpsError, RestoreFailedError
from chatwoot_ops.model.stack import DATABASE, REDIS, SERVICES, SIDEKIQ, WAL, Stack
from chatwoot_ops.model.upgrade import WAY_BACK
from chatwoot_ops.operations.chains import begin_again
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.containers import wait_until_answering, wait_until_healthy
from chatwoot_ops.operations.indexes import REMEDY, build_while_serving
from chatwoot_ops.operations.migrate import prepare
from chatwoot_ops.operations.queued_jobs import keep_jobs
from chatwoot_ops.operations.restore_settings import BEFORE_RESTORE, BEFORE_UPGRADE, drop_saved, put_settings_back
from chatwoot_ops.operations.smoke import require_well


def old_serves(error: OpsError) -> OpsError:
    """The error of a restore that failed while, or after which, the old data serves."""
    remedy = error.remedy or "The data from before the restore is in service; nothing of it was changed."
    return RestoreFailedError(f"The restore failed: {error.message}", details=error.details, remedy=remedy)


def swap_in(
    stack: Stack,
    host: Host,
    change: Change,
    cluster: str,
    previous: str,
    *,
    migrate: bool,
    save: Callable[[], None],
) -> float:
    """Returns the seconds the database was away; the web stays up meanwhile and its requests wait.

    The worker stops before Redis is flushed: running, it would lose its cron jobs (recordings/README.md). `save` is
    called as late as the old database answers.
    """
    facts = {"previous": previous, "target": f"clusters/{cluster}"}
    change.step("stop", "Stopping worker and database", **facts)
    with or_put_back(stack, host, change, previous):
        away = _swap(stack, host, change, facts, save, migrate=migrate)
        start_and_prove(stack, host, change, migrate=migrate)
    return away


@contextmanager
def or_put_back(stack: Stack, host: Host, change: Change, previous: str) -> Iterator[None]:
    """The old cluster is put back where the block fails; raises RestoreFailedError or NothingServesError then."""
    try:
        yield
    except KeyboardInterrupt:
        _put_back_or_give_up(stack, host, change, previous, InterruptedByOperatorError("it was interrupted"))
        raise
    except OpsError as error:
        _put_back_or_give_up(stack, host, change, previous, error)
        raise old_serves(error) from error


def _swap(
    stack: Stack, host: Host, change: Change, facts: Mapping[str, str], save: Callable[[], None], *, migrate: bool
) -> float:
    stopped = SERVICES[2:] if migrate else (SIDEKIQ,)
    host.processes.run(compose.stop(stack, host.compose, *stopped))
    _start_redis(stack, host)
    if kept := keep_jobs(stack, host):
        change.made(kept)
    save()
    with host.timed() as away:
        host.processes.run(compose.stop(stack, host.compose, DATABASE))
        change.step("swap", "Putting the new cluster in place", **facts)
        _flush(stack, host)
        host.processes.run(staging.swap(stack, facts["target"]))
        change.step("start", "Starting database and worker")
        start_data(stack, host)
    return round(away[0], 1)


def start_and_prove(stack: Stack, host: Host, change: Change, *, migrate: bool) -> None:
    """Every service healthy and the smoke check passed, once the database answers."""
    if stack.archives:
        host.processes.run(compose.up_alone(stack, host.compose, WAL))
    if migrate:
        prepare(stack, host, change)
    start_rest(stack, host)
    change.step("smoke", "Asking the running stack")
    require_well(stack, host)


def end_swapped(  # noqa: PLR0917 - what a restore knows once its cluster serves
    stack: Stack, host: Host, change: Change, target: str, previous: str, indexes: Mapping[str, str]
) -> None:
    """What is done while the new cluster serves: older clusters go, its WAL chain begins, its indexes are built.

    Where indexes are to come the journal stays from here on, until they are there. Raises IndexesMissingError.
    """
    since = host.clock.stamp()
    if indexes:
        change.owes(REMEDY)
    _clean_up(stack, host, change, target, previous)
    begin_again(stack, host, change)
    end_built(stack, host, change, indexes, since)


def end_built(stack: Stack, host: Host, change: Change, indexes: Mapping[str, str], since: str) -> None:
    """The last of it alone: the indexes, and then the copy of `.env` goes. Raises IndexesMissingError."""
    build_while_serving(stack, host, change, indexes, since)
    drop_saved(stack, BEFORE_RESTORE)


def _clean_up(stack: Stack, host: Host, change: Change, target: str, previous: str) -> None:
    # An earlier upgrade's way back is among them.
    change.step("clean", "Removing clusters older than the one before")
    for name in (WAY_BACK, BEFORE_UPGRADE):
        drop_saved(stack, name)
    host.processes.run(staging.remove_clusters_but(stack, target, previous))


def start_data(stack: Stack, host: Host) -> None:
    """Database and Redis, answering."""
    host.processes.run(compose.up(stack, host.compose, DATABASE, REDIS))
    wait_until_answering(stack, host, (DATABASE, REDIS), lambda: _answers(stack, host))


def _answers(stack: Stack, host: Host) -> bool:
    # The database has been told to start just before; asked last, it answers the first time.
    asked = ((redis.ask(stack, host.compose, "PING"), "PONG"), (database.answers(stack, host.compose), "1"))
    return all(host.processes.try_run(command).stdout.strip() == answer for command, answer in asked)


def start_rest(stack: Stack, host: Host) -> None:
    """Every service, healthy, once database and Redis answer: web and worker do not wait for their health checks."""
    host.processes.run(compose.up_alone(stack, host.compose, *stack.services[2:]))
    wait_until_healthy(stack, host, stack.services)


def _start_redis(stack: Stack, host: Host) -> None:
    host.processes.run(compose.up(stack, host.compose, REDIS))
    wait_until_healthy(stack, host, (REDIS,))


def _flush(stack: Stack, host: Host) -> None:
    # Jobs and caches of the old data must not meet the new: ids now mean other records (facts, 11).
    host.processes.run(redis.ask(stack, host.compose, "FLUSHALL", purpose="Flushing Redis"))


def drop_staged(stack: Stack, host: Host, operation: str, cluster: str) -> None:
    """Removes a cluster that was never put into service, and the container that built it."""
    host.processes.try_run(staging.remove(stack, operation))
    host.processes.try_run(staging.remove_partial(stack, cluster))


def _put_back_or_give_up(stack: Stack, host: Host, change: Change, previous: str, error: OpsError) -> None:
    change.step("put-back", "Putting the old cluster back", previous=previous)
    try:
        put_back(stack, host, previous, BEFORE_RESTORE)
        drop_saved(stack, BEFORE_RESTORE)
    except OpsError as second:
        details = (*error.details, f"putting the old data back: {second.message}", *second.details)
        place = f"The old cluster is in the volume as {previous or 'its root'}"
        remedy = f"{place}. Type 'invoke doctor'; see docs/runbooks/volume-lost.md."
        raise NothingServesError(f"The restore failed: {error.message}", details=details, remedy=remedy) from error


def put_back(stack: Stack, host: Host, previous: str, saved: str) -> None:
    """Cluster and settings (kept under this name) from before in service again, the queue empty, the stack healthy."""
    put_settings_back(stack, saved)
    host.processes.run(compose.stop(stack, host.compose, SIDEKIQ, DATABASE))
    if host.processes.run(staging.current_cluster(stack)).stdout.strip() != previous:
        _start_redis(stack, host)
        _flush(stack, host)
        host.processes.run(staging.swap(stack, previous))
    start_data(stack, host)
    start_rest(stack, host)
