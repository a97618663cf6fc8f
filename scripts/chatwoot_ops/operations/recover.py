"""Ends an operation that was cut off: shows it, finishes it, or undoes it."""

from __future__ import annotations

from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import is_held
from chatwoot_ops.commands import compose
from chatwoot_ops.errors import StackLockedError
from chatwoot_ops.model.check import failures
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations import recover_sets
from chatwoot_ops.operations.administrator import Applicant
from chatwoot_ops.operations.adopt import finish_adopt
from chatwoot_ops.operations.adopt_undo import undo_adopt
from chatwoot_ops.operations.backup_keys import finish_keys
from chatwoot_ops.operations.changing import changing, end_one_offs, store_of
from chatwoot_ops.operations.drill_remote import drop_fetched
from chatwoot_ops.operations.finish_restore import finish_restore, with_identity
from chatwoot_ops.operations.indexes import BUILD
from chatwoot_ops.operations.leaving import finish_leaving
from chatwoot_ops.operations.migrate import migrate_again
from chatwoot_ops.operations.opened_sets import drop_opened
from chatwoot_ops.operations.opening import Place, open_with, unchecked_stack
from chatwoot_ops.operations.recover_sets import Action, close
from chatwoot_ops.operations.rollback import finish_upgrade, roll_back, undo_upgrade
from chatwoot_ops.operations.running import down, up
from chatwoot_ops.operations.secrets import existing_or_example, fill
from chatwoot_ops.operations.setup import SetUp, set_up
from chatwoot_ops.operations.throwaway import sweep
from chatwoot_ops.operations.undo_restore import undo_restore
from chatwoot_ops.operations.undo_setup import undo_setup


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found and what was done about it; `ended` is False where it was only shown."""

    operation: str
    step: str
    ended: bool
    text: str


def recover(place: Place, host: Host, *, finish: bool = False, undo: bool = False, identity: str = "") -> Recovered:
    """Shows the operation that was cut off; finishes or undoes it when told to.

    `identity` is a file with the private key of the encrypted set that a restore is finished from. Raises RefusedError
    for both flags at once, while the operation still runs, and where an undo would lose data.
    """
    stack = unchecked_stack(place, existing_or_example(place))
    journal = store_of(stack, host).read()
    if journal is None:
        return _nothing_cut_off(_swept(stack, host) if finish or undo else ())
    if finish and undo:
        raise StackLockedError("Choose one of --finish and --undo", remedy="Nothing was changed.")
    name = journal.opening.operation
    if is_held(stack.project):
        # Its one-off containers are at work, not left over.
        raise StackLockedError(f"'{name}' still runs; it was not cut off", remedy="Wait for it to end.")
    if not finish and not undo:
        return Recovered(name, journal.last_step, ended=False, text=_meaning(journal))
    action = (FINISH if finish else UNDO).get(name)
    if action is None:
        raise StackLockedError(
            f"'{name}' is not known to this version of the tool", remedy="Use the version that began it."
        )
    host.processes.secrets = tuple(stack.settings.secrets().values())
    host.reporter.step(f"Ending what '{name}' left running")
    end_one_offs(stack, host)
    drop_opened(stack)
    result = action(place, stack, host, with_identity(journal, identity))
    text = f"'{name}' was {'finished' if finish else 'undone'}.{_made_password(result)}"
    return Recovered(name, journal.last_step, ended=True, text=text)


def _swept(stack: Stack, host: Host) -> tuple[str, ...]:
    drop_fetched(stack)
    return sweep(host)


def _nothing_cut_off(swept: tuple[str, ...]) -> Recovered:
    """A throwaway stack keeps no journal here; what a kill left of it is simply removed."""
    text = "No operation was cut off; there is nothing to recover."
    if swept:
        text = f"No operation was cut off. Removed what was left of: {', '.join(swept)}"
    return Recovered("", "", ended=bool(swept), text=text)


def _made_password(result: object) -> str:
    # Nobody else will ever show it.
    if not isinstance(result, SetUp):
        return ""
    bad = len(failures(result.checks))
    doubt = f" {bad} checks failed: type 'invoke smoke'." if bad else ""
    if not result.password:
        return doubt
    who = f"Administrator: {result.administrator} (account {result.account})"
    return f"{doubt}\n{who}\nPassword, shown this once: {result.password}"


def _meaning(journal: Journal) -> str:
    opening = journal.opening
    done = ", ".join(step.step for step in journal.steps) or "no step"
    serves = "The restored data serves; only indexes are missing. " if journal.last_step == BUILD else ""
    return (
        f"'{opening.operation}' by {opening.user} began at {opening.started} and was cut off at step "
        f"'{journal.last_step}' (steps begun: {done}). {serves}'invoke recover --finish' runs it to its end; "
        "'invoke recover --undo' puts back what was before."
    )


def _finish_setup(place: Place, _: Stack, host: Host, journal: Journal) -> SetUp:
    options = journal.opening.options
    who = Applicant(*(str(options.get(key, "")) for key in ("name", "email", "company")))
    return set_up(place, host, who, quick=bool(options.get("quick")), resume=journal)


def _finish_secrets(place: Place, stack: Stack, host: Host, journal: Journal) -> None:
    with changing(stack, host, "secrets", resume=journal) as change:
        fill(place, change)


def _stop(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    with changing(stack, host, "undo-up", resume=journal) as change:
        change.step("down", "Taking the stack down")
        host.processes.run(compose.down(stack, host.compose))


def _undo_down(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    if journal.facts("remove-volumes") or journal.last_step in {"forget-instance", "remove-volumes"}:
        raise StackLockedError("The volumes may be gone already", remedy="Type 'invoke recover --finish'.")
    up(stack, host, resume=journal)


def _finish_restore(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    finish_restore(stack, host, journal)


def _finish_upgrade(place: Place, _: Stack, host: Host, journal: Journal) -> None:
    finish_upgrade(open_with(place, host), host, journal)


FINISH: dict[str, Action] = {
    "adopt": finish_adopt,
    "undo-adopt": undo_adopt,
    "setup": _finish_setup,
    "secrets": _finish_secrets,
    "up": lambda _, stack, host, journal: up(stack, host, resume=journal),
    "leave": lambda _, stack, host, journal: finish_leaving(stack, host, journal),
    "down": lambda _, stack, host, journal: down(
        stack, host, volumes=bool(journal.opening.options.get("volumes")), resume=journal
    ),
    "migrate": lambda _, stack, host, journal: migrate_again(stack, host, journal),
    **recover_sets.FINISH,
    "backup.keys": lambda _, stack, host, journal: finish_keys(stack, host, journal),
    "restore": _finish_restore,
    "upgrade": _finish_upgrade,
    "rollback": lambda place, _, host, journal: roll_back(place, host, yes=True, resume=journal),
    "undo-upgrade": lambda _, stack, host, journal: undo_upgrade(stack, host, journal),
    "undo-setup": undo_setup,
    "undo-up": _stop,
    "undo-secrets": close,
    "undo-migrate": close,
    "undo-backup.keys": close,
    "undo-restore": lambda _, stack, host, journal: undo_restore(stack, host, journal),
}
UNDO: dict[str, Action] = {
    "adopt": undo_adopt,
    "undo-adopt": undo_adopt,
    "setup": undo_setup,
    "secrets": close,
    "up": _stop,
    "leave": lambda _, stack, host, journal: up(stack, host, resume=journal),
    "down": _undo_down,
    "migrate": close,
    **recover_sets.UNDO,
    "backup.keys": close,
    "restore": lambda _, stack, host, journal: undo_restore(stack, host, journal),
    "upgrade": lambda _, stack, host, journal: undo_upgrade(stack, host, journal),
    "rollback": lambda place, _, host, journal: roll_back(place, host, yes=True, resume=journal),
    "undo-upgrade": lambda _, stack, host, journal: undo_upgrade(stack, host, journal),
    "undo-setup": undo_setup,
    "undo-up": _stop,
    "undo-secrets": close,
    "undo-migrate": close,
    "undo-backup.keys": close,
    "undo-restore": lambda _, stack, host, journal: undo_restore(stack, host, journal),
}
