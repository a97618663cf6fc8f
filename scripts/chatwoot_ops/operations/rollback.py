"""Goes back to the release before the last upgrade, with its data as it was when the upgrade began."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, staging
from chatwoot_ops.errors import (
    ConfirmationMissingError,
    OpsError,
    ReleaseRefusedError,
    RollbackFailedError,
)
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.model.upgrade import WAY_BACK, WayBack, parse_way_back, told, written_since
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.database import HIGH, ask_database
from chatwoot_ops.operations.loss import loss_of_undo
from chatwoot_ops.operations.opening import Place, open_with
from chatwoot_ops.operations.restore_settings import BEFORE_UPGRADE, drop_saved
from chatwoot_ops.operations.smoke import require_smoke, smoke
from chatwoot_ops.operations.swapping import drop_staged, put_back, start_data
from chatwoot_ops.operations.upgrade import Move, clean_up, customers_wrote, serve, upgrade
from chatwoot_ops.operations.upgrade_plan import moved_to


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The release that serves again, and the rows that were given up."""

    release: str
    lost: dict[str, int]


def roll_back(place: Place, host: Host, *, yes: bool = False, resume: Journal | None = None) -> RolledBack:
    """Puts release and data from before the last upgrade back, once the loss was seen.

    Raises ReleaseRefusedError where there is no way back, ConfirmationMissingError, RollbackFailedError.
    """
    stack = open_with(place, host)
    way_back = _noted(resume) or _way_back(stack)
    lost = _lost(stack, host, way_back)
    if resume is None:
        _require_cluster(stack, host, way_back)
        _confirm(host, way_back, lost, yes=yes)
    with changing(stack, host, "rollback", resume=resume) as change:
        try:
            _go(stack, host, change, way_back)
            require_smoke(smoke(open_with(place, host), host, quick=True))
        except KeyboardInterrupt:
            # Half of it would be neither release; all of it is what was asked for.
            _go(stack, host, change, way_back)
            raise
        except OpsError as error:
            remedy = "See docs/runbooks/upgrade-failed.md; 'invoke doctor' shows what runs."
            raise RollbackFailedError(
                f"The rollback failed: {error.message}", details=error.details, remedy=remedy
            ) from error
        drop_saved(stack, WAY_BACK)
        drop_saved(stack, BEFORE_UPGRADE)
    return RolledBack(way_back.release, lost)


def _go(stack: Stack, host: Host, change: Change, way_back: WayBack) -> None:
    change.step("put-back", "Putting the release before back", way_back=asdict(way_back))
    host.processes.run(compose.stop(stack, host.compose, RAILS))
    put_back(stack, host, way_back.previous, BEFORE_UPGRADE)


def _noted(journal: Journal | None) -> WayBack | None:
    # The file goes before the journal does: a rollback cut off between them has only this left.
    noted = journal.facts("put-back").get("way_back") if journal else None
    return WayBack(**noted) if noted else None


def _way_back(stack: Stack) -> WayBack:
    try:
        return parse_way_back((stack.state_folder / WAY_BACK).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError) as error:
        remedy = "Restore the backup set that was made before it: 'invoke backups'."
        raise ReleaseRefusedError("There is no upgrade to roll back", remedy=remedy) from error


def _require_cluster(stack: Stack, host: Host, way_back: WayBack) -> None:
    if host.processes.try_run(staging.has_cluster(stack, way_back.previous)).code != 0:
        remedy = "Restore the backup set that was made before it: 'invoke backups'. Nothing was changed."
        raise ReleaseRefusedError(f"The data of {way_back.release} is gone from the volume", remedy=remedy)


def _lost(stack: Stack, host: Host, way_back: WayBack) -> dict[str, int]:
    try:
        return written_since(way_back.high, ask_database(stack, host, HIGH))
    except OpsError:
        return {"rows that could not be counted, the database does not answer": 1}


def _confirm(host: Host, way_back: WayBack, lost: dict[str, int], *, yes: bool) -> None:
    rows = told(lost) or "nothing"
    host.reporter.note(f"Back from {way_back.target} to {way_back.release}; written since, and lost then: {rows}")
    if not yes and not host.reporter.confirm("Roll back?"):
        raise ConfirmationMissingError("The rollback was not confirmed", remedy="Add --yes. Nothing was changed.")


def undo_upgrade(stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --undo` does for an upgrade that was cut off: release and data as they were before it.

    Raises StackLockedError when customers wrote to the new release: then only going forward, or rollback, is right.
    """
    stopped = journal.facts("stop")
    if stopped and not journal.reached("put-back"):
        _refuse_loss(stack, host, journal, _way_back_of(journal))
    with changing(stack, host, "undo-upgrade", resume=journal) as change:
        if stopped:
            change.step("put-back", "Putting the release before back", previous=stopped["previous"])
            host.processes.run(compose.stop(stack, host.compose, RAILS))
            put_back(stack, host, str(stopped["previous"]), BEFORE_UPGRADE)
            drop_staged(stack, host, journal.opening.id, str(stopped["cluster"]))
            # One that was cut off at its very end had noted a way back already: there is none to go.
            drop_saved(stack, WAY_BACK)
            drop_saved(stack, BEFORE_UPGRADE)
        store_of(stack).drop_partials()


def _way_back_of(journal: Journal) -> WayBack:
    noted = journal.facts("copy-cluster") or journal.facts("stop")
    return WayBack(**noted.get("way_back", journal.facts("stop")["way_back"]))


def _refuse_loss(stack: Stack, host: Host, journal: Journal, way_back: WayBack) -> None:
    if journal.reached("start"):
        # Where the engine died or the machine was cut off, the database that is asked may be down.
        start_data(stack, host)
    wrote = customers_wrote(stack, host, journal, way_back)
    if wrote:
        remedy = "Type 'invoke recover --finish'; 'invoke rollback' afterwards goes back."
        raise loss_of_undo("upgrade", "the new release", wrote, remedy)


def finish_upgrade(stack: Stack, host: Host, journal: Journal) -> None:
    """What `recover --finish` does: forward where the new release is pinned already, else from the beginning.

    An upgrade that had failed by itself and was being undone is undone to the end.
    """
    stopped = journal.facts("stop")
    if journal.reached("put-back"):
        undo_upgrade(stack, host, journal)
        return
    if journal.reached("pin"):
        # The kill may have come between the journal's line and the file.
        pinned = dict(journal.facts("pin").get("values", {}))
        target, cluster = moved_to(stack, pinned), str(stopped["cluster"])
        with changing(stack, host, "upgrade", journal.opening.options, resume=journal) as change:
            write_env_file(stack.env_file, with_values(read_env_file(stack.env_file).text, pinned))
            change.step("start", "Starting web and worker of the new release")
            serve(target, host)
            clean_up(Move(stack, target, host, change, _way_back_of(journal), cluster))
        return
    undo_upgrade(stack, host, journal)
    upgrade(stack, host, to=str(journal.opening.options.get("to", "")), yes=True)
