"""Which kills there are: every kind of operation with the journal steps it is killed at, and those killed elsewhere.

`tests/unit/test_kill_table.py` holds this to the code and to the reference, and the committed table to this.
"""

WAYS = ("finish", "undo")
BACKUP = ("dump-database", "copy-storage", "seal-settings", "seal")
PHYSICAL = ("base-backup", *BACKUP[1:])
RESTORE = ("stage", "load", "prove", "storage", "stop", "swap", "start", "smoke", "clean")
# The indexes that searching needs are built last, from a dump alone.
LOGICAL = (*RESTORE, "build-indexes")
# What a restore with an archive does after itself: a new chain and its base backup.
CHAIN = ("new-chain", "base-backup", "seal")
# What a row's `operation` says: the task that it is of, and where it is killed.
KINDS = {
    "backup": ("backup", BACKUP),
    "physical backup": ("backup", PHYSICAL),
    "encrypted backup": ("backup", BACKUP),
    "physical backup, WAL archived": ("backup", ("prune-archive",)),
    "restore": ("restore", LOGICAL),
    "physical restore": ("restore", RESTORE),
    "encrypted restore": ("restore", ("open", *LOGICAL)),
    "restore --to": ("restore", (*RESTORE[:3], "recover", *RESTORE[3:], *CHAIN)),
    "restore with keys": ("restore", ("keys",)),
    "restore --migrate": ("restore", ("prepare",)),
    "restore on an empty machine": ("restore", ("make-ready",)),
    "upgrade": ("upgrade", (*BACKUP, "stop", "copy-cluster", "swap", "prepare", "pin", "start", "clean")),
    "upgrade, WAL archived": ("upgrade", CHAIN[:2]),
    "rollback": ("rollback", ("put-back",)),
    "up": ("up", ("start-data-services", "start")),
    "up, archive switched off": ("up", ("end-archive",)),
    "down": ("down", ("down",)),
    "migrate": ("migrate", ("start-data-services", "prepare")),
    "keep": ("keep", ("mark",)),
    "backup.keys": ("backup.keys", ("add-recipient",)),
    "undo of a backup": ("recover", ("drop-partial",)),
    "undo of a restore": ("recover", ("put-back", "drop-staged")),
    "undo of an upgrade": ("recover", ("put-back",)),
    "undo of an up": ("recover", ("down",)),
}
# By default these run; the others with `nox -s faults`.
SAMPLE = {
    ("backup", "dump-database", "undo"),
    ("physical backup", "base-backup", "undo"),
    ("restore", "load", "undo"),
    ("restore", "stop", "undo"),
    ("restore", "swap", "undo"),
    ("restore", "start", "finish"),
    ("physical restore", "load", "undo"),
    ("physical restore", "swap", "finish"),
    ("encrypted restore", "open", "undo"),
    ("encrypted restore", "load", "finish"),
    ("restore --to", "recover", "undo"),
    ("upgrade", "copy-cluster", "undo"),
    ("upgrade", "prepare", "undo"),
    ("upgrade", "start", "finish"),
}

_SETUP = "tests/stack/test_kills.py kills a set-up at each of its steps: there is no data yet that could be lost"
_S3 = "tests/integration/test_s3_server.py kills it at each step, against a real S3 server: no container takes part"
_PRUNE = "tests/integration/test_tasks.py and tests/unit/test_prune.py kill it: no container takes part"
_SCHEDULE = "tests/unit/test_schedule.py kills it at each file: no container takes part"
_DRILL = "tests/stack_backup/test_drill.py kills it: what it leaves is a throwaway stack, which recover removes"
_VOLUMES = "all data is to go: tests/unit/test_recover.py finishes it, and sees that an undo is refused"
_FAILED = "a restore or an upgrade that failed by itself: what is killed then is the same as in the rows of the undo"
_FETCHED = "tests/unit/test_wal_off_site.py kills it both ways: files are fetched, no container takes part"
# (task, step) or a whole task, and why the table has no row of it.
ELSEWHERE = {
    "setup": _SETUP,
    "secrets": "write-secrets is one rename of .env; tests/stack/test_kills.py kills a set-up at it",
    "push": _S3,
    "pull": _S3,
    "adopt": "tests/stack_backup/test_adopt.py kills it: its source is not changed, and this side was empty before",
    "prune": _PRUNE,
    "schedule": _SCHEDULE,
    "drill": _DRILL,
    ("down", "stop-writers"): "tests/unit/test_leaving.py ends it both ways; a backup and a down are killed above",
    ("recover", "put-away"): "this side was empty before a takeover: tests/stack_backup/test_adopt.py undoes them",
    ("recover", "drop-work"): "this side was empty before a takeover: tests/stack_backup/test_adopt.py undoes them",
    ("down", "forget-instance"): _VOLUMES,
    ("down", "remove-volumes"): _VOLUMES,
    ("migrate", "wait-for-data-migrations"): "it only waits: what is cut off there is over",
    ("restore", "fetch-wal"): _FETCHED,
    ("restore", "drop-fetched"): _FETCHED,
    ("restore", "put-back"): _FAILED,
    ("upgrade", "put-back"): _FAILED,
    ("recover", "remove-volumes"): _SETUP,
    ("recover", "nothing"): "nothing has to be put back, and nothing is",
}
# Kills that are written and not run yet; `nox -s faults -- PATH` adds their rows, after which they must leave this.
NOT_RUN: dict[str, tuple[str, ...]] = {}


def kills_of(kind):
    """Every (step, way) that a kind is killed at."""
    return [(step, way) for step in KINDS[kind][1] for way in WAYS]
