"""Sets of one night each, which of them are there, and what keeps them."""

from chatwoot_ops.operations.prune import planned
from sets import sealed
from world import INSTANCE

ONE_ONLY = {f"BACKUP_KEEP_{rule}": "0" for rule in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")} | {"BACKUP_KEEP_LAST": "1"}
SETTINGS = {"CHATWOOT_INSTANCE_ID": INSTANCE, **ONE_ONLY}


def nightly(stack, count, **changed):
    """So many sets of one night each, oldest first."""
    return [
        sealed(stack.backup_folder, stamp=f"202611{day:02}T023000Z", created=f"2026-11-{day:02}T02:30:00Z", **changed)
        for day in range(1, count + 1)
    ]


def there(stack):
    return sorted(each.name for each in stack.backup_folder.iterdir())


def kept_by(stack):
    return {each.name: each.kept_by for each in planned(stack).sets}
