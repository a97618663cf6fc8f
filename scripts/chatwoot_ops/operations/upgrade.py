"""Moves the stack to another release; the release before it and its data are one rename away until the next upgrade."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, staging
from chatwoot_ops.errors import (
    ConfirmationMissingError,
    InterruptedByOperatorError,
    OpsError,
    RollbackFailedError,
    StackUnhealthyError,
    UpgradeRolledBackError,
)
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import DATABASE, RAILS, SIDEKIQ, Stack
from chatwoot_ops.model.upgrade import WAY_BACK, Plan, WayBack, note_before, to_json, told, written_since
from chatwoot_ops.operations.backup import make_set
from chatwoot_ops.operations.chains import begin_again
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.containers import wait_until_healthy
from chatwoot_ops.operations.database import HIGH, ask_database
from chatwoot_ops.operations.migrate import prepare
from chatwoot_ops.operations.pushing_all import push_since
from chatwoot_ops.operations.restore_settings import BEFORE_UPGRADE, drop_saved, save_settings
from chatwoot_ops.operations.smoke import require_smoke, smoke
from chatwoot_ops.operations.swapping import put_back, start_data
from chatwoot_ops.operations.upgrade_plan import plan_lines, plan_upgrade


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The release that serves now, how many migrations ran, the set taken before, and seconds out of service.

    `warnings` are about sets that were made and are not off-site.
    """

    release: str
    before: str
    migrations: int
    set: str
    away_seconds: float
    warnings: tuple[str, ...] = ()


def upgrade(stack: Stack, host: Host, *, to: str = "", yes: bool = False, resume: Journal | None = None) -> Upgraded:
    """Brings the stack to a release.

    Raises ReleaseRefusedError before anything is touched, UpgradeRolledBackError when release and data are as before
    and proved, StackUnhealthyError when customers wrote already, RollbackFailedError when a person must look.
    """
    host.reporter.step("Planning the upgrade")
    target, plan = plan_upgrade(stack, host, to)
    if plan.target == plan.release and not plan.migrations:
        return Upgraded(plan.release, plan.release, 0, "", 0.0)
    if resume is None:
        _confirm(host, plan, yes=yes)
    with changing(stack, host, "upgrade", {"to": to, "target": plan.target}, resume=resume) as change:
        done = _upgrade(stack, target, host, change, plan)
    # The upgrade stands whatever becomes of its sets' copies.
    return replace(done, warnings=push_since(target, host, done.set))


def _confirm(host: Host, plan: Plan, *, yes: bool) -> None:
    for line in plan_lines(plan):
        host.reporter.note(line)
    answer = yes or host.reporter.confirm("Upgrade now?")
    if not answer:
        raise ConfirmationMissingError("The upgrade was not confirmed", remedy="Add --yes. Nothing was changed.")


@dataclass(frozen=True, slots=True)
class Move:
    """An upgrade in progress: the stack as it was and as it will be, the way back, and the copy that is migrated."""

    stack: Stack
    target: Stack
    host: Host
    change: Change
    way_back: WayBack
    cluster: str


def _upgrade(stack: Stack, target: Stack, host: Host, change: Change, plan: Plan) -> Upgraded:
    note, kind = note_before(plan.target), stack.settings["BACKUP_KIND"]
    made = make_set(stack, host, change, note=note, kind=kind)
    previous = host.processes.run(staging.current_cluster(stack)).stdout.strip()
    cluster = change.cluster_name()
    way_back = WayBack(plan.release, plan.target, previous, ask_database(stack, host, HIGH))
    move = Move(stack, target, host, change, way_back, cluster)
    drop_saved(stack, WAY_BACK)
    save_settings(stack, BEFORE_UPGRADE)
    began = host.clock.monotonic()
    try:
        migrations = _switch(move)
    except KeyboardInterrupt:
        undone = _undone(move, InterruptedByOperatorError("it was interrupted"))
        if isinstance(undone, UpgradeRolledBackError):
            raise
        raise undone from None
    except OpsError as error:
        raise _undone(move, error) from error
    away = round(host.clock.monotonic() - began, 1)
    clean_up(move)
    return Upgraded(plan.target, plan.release, migrations, made.set.manifest.name, away)


def _switch(move: Move) -> int:
    stack, host, change, previous = move.stack, move.host, move.change, move.way_back.previous
    facts = {"previous": previous, "cluster": move.cluster, "way_back": asdict(move.way_back)}
    change.step("stop", "Stopping web and worker", **facts)
    host.processes.run(compose.stop(stack, host.compose, RAILS, SIDEKIQ))
    # Only now can nobody write any more: what came a moment before is in the copy, and is not of the new release.
    move.way_back.high.update(ask_database(stack, host, HIGH))
    change.step("copy-cluster", "Copying the cluster for the way back", way_back=asdict(move.way_back))
    host.processes.run(compose.stop(stack, host.compose, DATABASE))
    host.processes.run(staging.copy_cluster(stack, previous, move.cluster))
    change.step("swap", "Putting the copy in place")
    host.processes.run(staging.swap(stack, f"clusters/{move.cluster}"))
    start_data(stack, host)
    migrated = prepare(move.target, host, change)
    pinned = {name: move.target.settings[name] for name in ("CHATWOOT_IMAGE", "CHATWOOT_RELEASE")}
    change.step("pin", "Pinning the release in .env", values=pinned)
    write_env_file(stack.env_file, with_values(read_env_file(stack.env_file).text, pinned))
    change.step("start", "Starting web and worker of the new release")
    serve(move.target, host)
    return len(migrated.applied)


def serve(target: Stack, host: Host) -> None:
    """Every service of the release that the settings name, healthy and proved."""
    host.processes.run(compose.up(target, host.compose))
    wait_until_healthy(target, host, target.services)
    require_smoke(smoke(target, host, quick=True))


def clean_up(move: Move) -> None:
    """Keeps the way back, removes clusters that are older than it, and begins the new cluster's WAL chain."""
    move.change.step("clean", "Removing clusters older than the one before")
    write_atomically(move.stack.state_folder / WAY_BACK, to_json(move.way_back))
    kept = (f"clusters/{move.cluster}", move.way_back.previous)
    move.host.processes.run(staging.remove_clusters_but(move.stack, *kept))
    begin_again(move.target, move.host, move.change)
    for line in move.change.changed:
        move.host.reporter.note(line)


def _undone(move: Move, error: OpsError) -> OpsError:
    wrote = customers_wrote(move.stack, move.host, move.change.store.read(), move.way_back)
    if wrote:
        write_atomically(move.stack.state_folder / WAY_BACK, to_json(move.way_back))
        forward = "Forward: put right what failed, then 'invoke up' and 'invoke smoke'."
        remedy = f"{forward} Back, losing what was written: 'invoke rollback --yes'."
        text = f"The upgrade failed after customers wrote ({wrote}), so nothing was put back: {error.message}"
        return StackUnhealthyError(text, details=error.details, remedy=remedy)
    try:
        put_back_release(move)
        require_smoke(smoke(move.stack, move.host, quick=True))
    except OpsError as second:
        details = (*error.details, f"rolling back: {second.message}", *second.details)
        place = move.way_back.previous or "in the root of the volume"
        remedy = f"The cluster before is {place}; see docs/runbooks/upgrade-failed.md."
        return RollbackFailedError(f"The upgrade failed: {error.message}", details=details, remedy=remedy)
    text = f"The upgrade failed and was rolled back: {error.message}"
    remedy = f"{move.way_back.release} serves with its data from before. The backup set made first is kept."
    return UpgradeRolledBackError(text, details=error.details, remedy=remedy)


def customers_wrote(stack: Stack, host: Host, journal: Journal | None, way_back: WayBack) -> str:
    """What was written since the new release began to serve, "" for nothing; before its start nobody could write."""
    if journal is None or not journal.reached("start"):
        return ""
    try:
        return told(written_since(way_back.high, ask_database(stack, host, HIGH)))
    except OpsError:
        return "the database cannot be asked what"


def put_back_release(move: Move) -> None:
    """Release and data as they were: the settings kept, the old cluster, the old images."""
    host, previous = move.host, move.way_back.previous
    move.change.step("put-back", "Putting the release before back", previous=previous)
    host.processes.run(compose.stop(move.stack, host.compose, RAILS))
    put_back(move.stack, host, previous, BEFORE_UPGRADE)
    host.processes.try_run(staging.remove_partial(move.stack, move.cluster))
