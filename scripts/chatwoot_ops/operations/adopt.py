"""Takes over a Chatwoot that lives elsewhere: looked at, read, rehearsed, and only then brought into service here."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from chatwoot_ops.adapters.env_file import read_env_file, write_env_file
from chatwoot_ops.adapters.files import ensure_private_folder, write_atomically
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import ConfirmationMissingError, OpsError, PreflightFailedError, RestoreFailedError
from chatwoot_ops.model.check import Check, Outcome, failures
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.adopt_fetch import fetch
from chatwoot_ops.operations.adopt_plan import SETTINGS, Plan, plan_of, settle
from chatwoot_ops.operations.adopt_rehearsal import rehearse_takeover
from chatwoot_ops.operations.adopt_source import AdoptOptions, with_full_paths
from chatwoot_ops.operations.adopt_undo import BEFORE, put_away, undo_adopt, work_of
from chatwoot_ops.operations.changing import Change, changing, require_quiet
from chatwoot_ops.operations.database import ask_database
from chatwoot_ops.operations.drilling import Proved
from chatwoot_ops.operations.finish_restore import finish_swapped
from chatwoot_ops.operations.opening import Place, open_with, unchecked_stack
from chatwoot_ops.operations.readying import make_ready
from chatwoot_ops.operations.restore import bring_in, fitting_keys
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.secrets import existing_or_example
from chatwoot_ops.operations.source import source_of_set
from chatwoot_ops.operations.swapping import end_swapped

_CALLED = """
SELECT coalesce(json_agg(DISTINCT split_part(split_part(url, '://', 2), '/', 1)), '[]') FROM (
  SELECT url FROM webhooks UNION ALL SELECT webhook_url FROM channel_api) AS called WHERE url <> '';
"""
_STEPS = (
    "the source is read: one snapshot of its database, then its stored files",
    "the takeover is rehearsed in a throwaway stack that reaches nobody, and proved there",
    ".env is written (mode 0600) and what was rehearsed is restored into this stack's own volumes",
    "the smoke check asks the stack; where anything fails this side is empty again",
)
_LEAD = "point its proxy or name there, or set FRONTEND_URL in .env, then type 'invoke up' and 'invoke smoke'"


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was taken over, or with `rehearsed` only could be: rows and files as proved, and what to do next."""

    source: str
    release: str
    rows: int
    tables: int
    files: int
    rehearsed: bool
    seconds: float
    checks: tuple[Check, ...]
    next: tuple[str, ...]


def looked_at_source(place: Place, host: Host, asked: AdoptOptions) -> tuple[Check, ...]:
    """The dry run: every check, and what would be done.

    Raises SettingsInvalidError for flags that contradict each other, PreflightFailedError where there is no source.
    """
    plan = plan_of(place, host, asked)
    return (*plan.checks, *(Check("would follow", Outcome.LEFT_OUT, step) for step in _STEPS))


def adopt(place: Place, host: Host, asked: AdoptOptions) -> Adopted:
    """Takes the source over, or only rehearses it; the source is read and never changed.

    Raises PreflightFailedError with everything that is in the way, ChecksFailedError where the rehearsal failed,
    ConfirmationMissingError, RestoreFailedError when nothing is left here after the rehearsal had passed.
    """
    home = unchecked_stack(place, existing_or_example(place))
    require_quiet(home, host, "adopt")
    asked = with_full_paths(asked)
    plan = plan_of(place, host, asked)
    _require(plan.checks)
    with changing(home, host, "adopt", asdict(asked)) as change, host.timed() as spent:
        work = work_of(home)
        shutil.rmtree(work, ignore_errors=True)
        ensure_private_folder(work)
        try:
            adopted = _adopt(place, host, asked, plan, change, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return replace(adopted, seconds=round(spent[0], 1))


def _require(checks: tuple[Check, ...]) -> None:
    if bad := failures(checks):
        details = tuple(f"{check.name}: {check.seen}\n    {check.remedy}" for check in bad)
        remedy = "Nothing was changed, neither at the source nor here."
        raise PreflightFailedError("The takeover cannot begin", details=details, remedy=remedy)


def _adopt(  # noqa: PLR0917 - one story, told once
    place: Place, host: Host, asked: AdoptOptions, plan: Plan, change: Change, work: Path
) -> Adopted:
    change.step("images", "Getting the images")
    text = settle(plan, host, work)
    source = fetch(plan.stack, host, change, plan.origin, asked, plan.env, work)
    seal = not asked.rehearse
    proved, path = rehearse_takeover(place, host, change, source, text, work, migrate=asked.migrate, seal=seal)
    release = read_env_file(work / SETTINGS).values["CHATWOOT_RELEASE"]
    adopted = _adopted(plan, release, proved)
    if asked.rehearse:
        return adopted
    _confirm(host, asked, adopted)
    if source.dump.parent == work:
        source.dump.unlink()
    stack = _take_over(place, host, change, path, text, work)
    return replace(adopted, rehearsed=False, next=_next(stack, host, plan))


def _adopted(plan: Plan, release: str, proved: Proved) -> Adopted:
    checks = (*(each for each in plan.checks if each.outcome is Outcome.WARN), *proved.checks)
    then = "Stop the source's web and worker, then run this again without --rehearse"
    counted = (proved.rows, proved.tables, proved.files)
    return Adopted(plan.origin.name, release, *counted, rehearsed=True, seconds=0.0, checks=checks, next=(then,))


def _confirm(host: Host, asked: AdoptOptions, adopted: Adopted) -> None:
    for check in adopted.checks:
        if check.outcome is Outcome.WARN:
            host.reporter.note(f"{check.name}: {check.seen}")
    host.reporter.note(f"The rehearsal passed: {adopted.rows} rows in {adopted.tables} tables, {adopted.files} files")
    if asked.yes:
        return
    answer = host.reporter.confirm(f"Take over {adopted.source}?")
    if not answer:
        why = "nobody could be asked" if answer is None else "the answer was no"
        remedy = "Add --yes to confirm. Nothing was changed, neither at the source nor here."
        raise ConfirmationMissingError(f"Nothing was taken over: {why}", remedy=remedy)


def _take_over(  # noqa: PLR0917 - as above
    place: Place, host: Host, change: Change, path: str, text: str, work: Path
) -> Stack:
    stack = unchecked_stack(place, read_env_file(work / SETTINGS))
    had = place.env_file.exists()
    if had:
        write_atomically(work / BEFORE, read_env_file(place.env_file).text)
    noted: dict[str, Any] = {"created": list(stack.volumes.values()), "had_settings": had}
    change.step("settings", "Writing .env", **noted)
    try:
        write_env_file(place.env_file, text)
        stack = open_with(place, host)
        source, options = source_of_set(stack, path), RestoreOptions(yes=True)
        fitting_keys(stack, host, source, options, None)
        make_ready(stack, host, change)
        serving = bring_in(stack, host, source, options, change, {})
    except BaseException as error:
        put_away(place, stack, host, change, noted)
        if isinstance(error, OpsError):
            remedy = "Nothing of it is left here, and the source is as it was. Put that right, then run this again."
            raise RestoreFailedError(
                f"The takeover failed: {error.message}", details=error.details, remedy=remedy
            ) from error
        raise
    # It serves: what fails from here on is finished by a recovery and takes nothing away.
    end_swapped(stack, host, change, serving.target, serving.previous, serving.indexes)
    return stack


def _next(stack: Stack, host: Host, plan: Plan) -> tuple[str, ...]:
    """What still leads to the old installation, and what to type."""
    settings = stack.settings
    called: list[str] = []
    # All is in service by now: that this could not be asked must not make a failure of it.
    with suppress(OpsError):
        called = ask_database(stack, host, _CALLED, purpose="Reading where webhooks go")
    here = f"{settings['BIND_ADDRESS']}:{settings['CHATWOOT_PORT']}"
    origin = plan.origin
    old = f"{origin.name}" if origin.dump is None else "the old machine"
    stay = f": a restart of Docker would. Type: docker update --restart=no {' '.join(origin.programs)}"
    return (
        f"{settings['FRONTEND_URL']} has to lead to {here} now: {_LEAD}",
        f"Web and worker of {old} must not start again, both would fetch the same mail and send the same webhooks"
        + (stay if origin.programs else ""),
        "Jobs that waited in the source's Redis were not taken over",
        *((f"Webhooks go to {', '.join(called)}: see that each is reached from here",) if called else ()),
        "Type 'invoke backup': the first set of this installation",
    )


def finish_adopt(place: Place, stack: Stack, host: Host, journal: Journal) -> None:
    """Starts and proves what was in service already; else begins again, from a side that is empty again.

    Raises what `adopt` raises.
    """
    if journal.facts("settings") and journal.reached("swap") and finish_swapped(open_with(place, host), host, journal):
        shutil.rmtree(work_of(stack), ignore_errors=True)
        return
    undo_adopt(place, stack, host, journal)
    adopt(place, host, replace(AdoptOptions(**journal.opening.options), yes=True))
