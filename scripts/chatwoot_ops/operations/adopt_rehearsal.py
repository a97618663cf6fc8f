"""The rehearsal of a takeover: the source's data in a throwaway stack that reaches nobody, proved, and made a set."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import ChecksFailedError, OpsError
from chatwoot_ops.model.check import failures
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import make_set
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.drill_settings import QUIET
from chatwoot_ops.operations.drilling import Proved, isolated, opened, serve_and_prove
from chatwoot_ops.operations.opening import Place, open_with
from chatwoot_ops.operations.source import Source
from chatwoot_ops.operations.throwaway import throwaway

SETS = "sets"
_REMEDY = "Nothing was changed, neither at the source nor here; docs/how-to/adopt.md says what the checks mean."


def rehearse_takeover(  # noqa: PLR0917 - one story, told once
    place: Place, host: Host, change: Change, source: Source, text: str, work: Path, *, migrate: bool, seal: bool
) -> tuple[Proved, str]:
    """What was proved, and with `seal` the path of a set of it, below `work`; the throwaway stack is gone then.

    `text` are the settings of the stack that is to be. Raises ChecksFailedError where the data cannot be taken over.
    """
    change.step("rehearse", "Rehearsing the takeover in a throwaway stack")
    # The set is a step of the takeover and goes with it: it needs no key and no place off-site.
    quiet = {**QUIET, "BACKUP_FOLDER": str(work / SETS), "BACKUP_RECIPIENTS": "", "BACKUP_ENCRYPT": "settings"}
    with throwaway(place, host, quiet, operation="adopt", text=text) as made:
        stack = isolated(open_with(made.place, host))
        inner = opened(stack, host, source.name)
        proved = _proved(stack, host, source, inner, migrate=migrate)
        if not seal:
            return proved, ""
        return proved, make_set(stack, host, inner, note=f"taken over from {source.name}").set.path


def _proved(stack: Stack, host: Host, source: Source, inner: Change, *, migrate: bool) -> Proved:
    try:
        instance = stack.settings["CHATWOOT_INSTANCE_ID"]
        proved = serve_and_prove(stack, host, source, inner, instance, migrate=migrate)
    except OpsError as error:
        text = f"The rehearsal failed: {error.message}"
        raise ChecksFailedError(text, details=error.details, remedy=f"{error.remedy} {_REMEDY}".strip()) from error
    if bad := failures(proved.checks):
        details = tuple(f"{check.name}: {check.seen}" for check in bad)
        raise ChecksFailedError("The rehearsal failed", details=details, remedy=_REMEDY)
    return proved
