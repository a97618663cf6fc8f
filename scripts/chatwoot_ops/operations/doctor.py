"""Everything that can be looked at: settings, secrets, keys, machine, volumes, what was cut off, the running stack."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.check import Check, failed, passed
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.budgets import budget_checks
from chatwoot_ops.operations.indexes import indexes_check
from chatwoot_ops.operations.key_proof import recipients_check
from chatwoot_ops.operations.keys import keys_check
from chatwoot_ops.operations.known import look_at
from chatwoot_ops.operations.off_site_checks import remote_checks
from chatwoot_ops.operations.opening import Place, open_stack
from chatwoot_ops.operations.preflight import preflight
from chatwoot_ops.operations.probes import files, wal
from chatwoot_ops.operations.probes.asking import asked
from chatwoot_ops.operations.secrets import check_secrets
from chatwoot_ops.operations.smoke import smoke
from chatwoot_ops.operations.status import cut_off
from chatwoot_ops.operations.wal_off_site import remote_wal_checks


def doctor(place: Place, host: Host) -> tuple[Check, ...]:
    """Preflight, secrets, cut-off operations, keys, budgets, schedule, remote, smoke check, stored files, WAL archive.

    Raises SettingsInvalidError when there is no settings file at all.
    """
    secrets = check_secrets(place)
    try:
        stack = open_stack(place)
    except SettingsInvalidError as error:
        found = (failed("settings", problem, "Correct it in .env") for problem in error.details)
        return (*secrets, *found)
    host.processes.secrets = tuple(stack.settings.secrets().values())
    checks = (*secrets, passed("settings", "can work"), *preflight(stack, host), _cut_off(stack, host))
    checks = (*checks, indexes_check(stack, host))
    checks = (*checks, recipients_check(stack), keys_check(stack, host), *budget_checks(stack, host, look_at(stack)))
    archive = asked("WAL archive", lambda: wal.archive(stack, host), "Type 'invoke status', then 'invoke up'")
    stored = asked(files.CHECK, lambda: files.stored(stack, host), "Type 'invoke status', then 'invoke up'")
    checks = (*checks, *remote_checks(stack, host), *remote_wal_checks(stack, host))
    return (*checks, *smoke(stack, host, quick=True), *stored, *archive)


def _cut_off(stack: Stack, host: Host) -> Check:
    found = cut_off(stack, host)
    return failed("cut-off operation", found, "Type 'invoke recover'") if found else passed("cut-off operation", "none")
