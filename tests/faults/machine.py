"""A machine that keeps two sets here and copies off-site, for tests that put its disk at risk."""

from chatwoot_ops.model.cluster import LOGICAL, PHYSICAL
from keeping import well_keeping, well_physical
from off_site import REMOTE
from world import healthy_host

RULES = {"BACKUP_KEEP_LAST": "2", "BACKUP_KEEP_DAILY": "0", "BACKUP_KEEP_WEEKLY": "0"}
SETTINGS = {**REMOTE, **RULES, "BACKUP_KEEP_MONTHLY": "0", "BACKUP_KEEP_YEARLY": "0", "CHATWOOT_RELEASE": "v4.15.1-ce"}


def a_host(kind=LOGICAL):
    host = healthy_host()
    (well_physical if kind == PHYSICAL else well_keeping)(host)
    host.processes.on("docker ps -a --format", "").on("docker volume ls", "").on("docker network ls", "")
    return host
