"""Verifies a backup set as thoroughly as is asked for."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.model.backup_set import BackupSet
from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.verification import Level, parse_level
from chatwoot_ops.operations.backup_sets import verify_set
from chatwoot_ops.operations.drill import Draw, DrillOptions, drill
from chatwoot_ops.operations.opening import Place, open_with


def verify(place: Place, host: Host, options: DrillOptions, level: str, draw: Draw) -> BackupSet | Certificate:
    """The set with the note of its verification; at level "restore" the certificate of a drill.

    Raises SettingsInvalidError for a level that does not exist, BackupSetInvalidError for a set that is damaged.
    """
    wanted = parse_level(level)
    if wanted is Level.RESTORE:
        return drill(place, host, options, draw)
    return verify_set(open_with(place, host), host, options.set, wanted, given=options.identity)
