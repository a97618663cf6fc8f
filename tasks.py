"""The operator's command line: names, flags, help and exit codes. What a task does is in chatwoot_ops.operations.

What a task needs is imported inside it, so that `invoke --list` stays as fast as Invoke itself.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import Task, task

REPOSITORY = Path(__file__).resolve().parent
INTERRUPTED = 130

# Help of flags that mean the same in several tasks.
AS_JSON = "One JSON object on standard output."
IDENTITY = "File with the age private key that opens the set, or - to type it."
LOOK_ONLY = "Only say what would be done, after looking at everything."
MIGRATE = "Bring data of an older release to this one."
QUICK = "Leave out the probes that must wait for a minute."
THEIR_SETTINGS = (
    "A copy of the .env that the data was made with, instead of --identity; with --from-remote also a file with the "
    "BACKUP_REMOTE settings."
)
WHICH_SET = "Which backup set: its name, latest, or a path to its folder."
YES_TO_LOSS = "Confirm on the command line what would be lost."


def perform(act: Callable[..., Any], *, json: bool = False, junit: str = "", failing: int = 0) -> None:
    """Runs one operation on the stack and shows its result; an expected error becomes its exit code.

    `act` gets the stack's place and the host. `failing` is the exit code when the result is a list of checks and one
    of them failed.
    """
    from chatwoot_ops import console
    from chatwoot_ops.errors import OpsError

    place, host, reporter = console.open_session(REPOSITORY, os.environ.get("CHATWOOT_ENV_FILE", ""))
    try:
        result = act(place, host)
        reporter.finish()
        failed = console.answer(result, as_json=json, junit=junit)
    except OpsError as error:
        reporter.finish()
        raise Exit(host.processes.mask(console.explain(error)), error.code) from None
    except KeyboardInterrupt:
        reporter.finish()
        raise Exit("Interrupted; cleaned up. The command can be run again.", INTERRUPTED) from None
    if failed and failing:
        raise Exit(code=failing)


def opened(act: Callable[..., Any], *given: object, **how: object) -> Callable[..., Any]:
    """The same operation for `perform`, which opens the stack that it takes: its settings are read and checked."""
    from chatwoot_ops.operations.opening import open_with

    return lambda place, host: act(open_with(place, host), host, *given, **how)


@task(
    help={
        "admin-email": "E-mail address of the first administrator (else CHATWOOT_ADMIN_EMAIL, else asked).",
        "admin-name": "Name of the first administrator (else CHATWOOT_ADMIN_NAME, else from the address).",
        "company": "Name of the first account (else CHATWOOT_ADMIN_COMPANY, else from the address).",
        "quick": QUICK,
        "dry-run": "Only look whether this machine could carry it.",
        "json": AS_JSON,
    }
)
def setup(  # noqa: PLR0917 - each is a flag
    _: Context,
    admin_email: str = "",
    admin_name: str = "",
    company: str = "",
    quick: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """[install] From a clone to a stack that works; safe to run again.

    Example: invoke setup --admin-email ada@example.com
    """
    from chatwoot_ops.errors import ChecksFailedError, PreflightFailedError
    from chatwoot_ops.operations.administrator import Applicant
    from chatwoot_ops.operations.setup import looked_at, set_up

    if dry_run:
        return perform(looked_at, json=json, failing=PreflightFailedError.code)
    who = Applicant(admin_name, admin_email, company)
    return perform(lambda place, host: set_up(place, host, who, quick=quick), json=json, failing=ChecksFailedError.code)


@task(
    help={
        "from-project": "Compose project of the installation, running or stopped.",
        "database-volume": "Instead, or where no container is left: volume or folder of its database.",
        "storage-volume": "Volume of its stored files.",
        "database-image": "PostgreSQL image that can start a copy of a stopped database (else its container's).",
        "database": "Name of its database (else POSTGRES_DATABASE of its .env, else chatwoot_production).",
        "dump": "Instead of an installation: a dump made by pg_dump (custom, directory or plain SQL, gzipped or not).",
        "storage": "Folder of the stored files, or a tar of it, gzipped or not.",
        "env": "Its .env; the keys in it open the encrypted rows.",
        "image": "Chatwoot image to run here (else the Community Edition of its release).",
        "migrate": MIGRATE,
        "rehearse": "Only rehearse; the source may serve meanwhile.",
        "yes": "Confirm on the command line what would be asked once the rehearsal has passed.",
        "dry-run": LOOK_ONLY,
        "json": AS_JSON,
    }
)
def adopt(  # noqa: PLR0917 - each is a flag
    _: Context,
    from_project: str = "",
    database_volume: str = "",
    storage_volume: str = "",
    database_image: str = "",
    database: str = "",
    dump: str = "",
    storage: str = "",
    env: str = "",
    image: str = "",
    migrate: bool = False,
    rehearse: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """[install] Take over a Chatwoot that runs elsewhere, without changing it; rehearsed first.

    Example: invoke adopt --from-project chatwoot --env ~/chatwoot/.env --rehearse
    """
    from chatwoot_ops.errors import PreflightFailedError
    from chatwoot_ops.operations import adopt as operation
    from chatwoot_ops.operations.adopt_source import AdoptOptions

    where = (from_project, database_volume, storage_volume, database_image, database, dump, storage, env)
    asked = AdoptOptions(*where, image, migrate, rehearse, yes)
    act = operation.looked_at_source if dry_run else operation.adopt
    perform(lambda place, host: act(place, host, asked), json=json, failing=PreflightFailedError.code)


@task(
    help={
        "check": "Only say what is missing, weak, a placeholder, or readable by others.",
        "json": "One JSON object.",
    }
)
def secrets(_: Context, check: bool = False, json: bool = False) -> None:
    """[install] Fill the secrets in .env that are empty; never replaces one, never shows one.

    Example: invoke secrets --check
    """
    from chatwoot_ops.errors import SettingsInvalidError
    from chatwoot_ops.operations.secrets import check_secrets, fill_secrets

    act = (lambda place, _host: check_secrets(place)) if check else fill_secrets
    perform(act, json=json, failing=SettingsInvalidError.code)


@task(help={"json": AS_JSON})
def up(_: Context, json: bool = False) -> None:
    """[run] Start the stack and wait until it is healthy.

    Example: invoke up
    """
    from chatwoot_ops.operations import running

    perform(opened(running.up), json=json)


@task(
    help={
        "volumes": "Remove the data too; shows what would be lost and asks.",
        "backup": "Before a move: stop web and worker, take the last set, send it off-site where that is set up.",
        "yes": "Confirm on the command line what would be asked.",
        "dry-run": LOOK_ONLY,
        "json": AS_JSON,
    }
)
def down(
    _: Context,
    volumes: bool = False,
    backup: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """[run] Take the stack down; data is kept.

    Example: invoke down
    """
    from chatwoot_ops.operations import leaving, running

    stay = running.intended_down if dry_run else functools.partial(running.down, yes=yes)
    act: Callable[..., Any] = functools.partial(leaving.leave, dry_run=dry_run) if backup else stay
    perform(opened(act, volumes=volumes), json=json)


@task(help={"json": AS_JSON})
def status(_: Context, json: bool = False) -> None:
    """[look] What runs, how it is, and what was left half done; exit 25 when a budget or a scheduled task fails.

    Example: invoke status --json
    """
    from chatwoot_ops.errors import ChecksFailedError
    from chatwoot_ops.operations.status import status as look

    perform(opened(look), json=json, failing=ChecksFailedError.code)


@task(
    help={
        "service": "One of chatwoot-rails, chatwoot-sidekiq, chatwoot-db, chatwoot-redis, chatwoot-wal (else all).",
        "tail": "How many of the last lines.",
        "follow": "Go on until Ctrl-C.",
    }
)
def logs(_: Context, service: str = "", tail: int = 100, follow: bool = False) -> None:
    """[look] The services' logs, known secrets masked.

    Example: invoke logs --service chatwoot-sidekiq --tail 50
    """
    from chatwoot_ops import console
    from chatwoot_ops.operations import reading

    wanted = reading.Wanted(service, tail, follow)
    perform(opened(reading.logs, wanted, console.print_line))


@task(help={"json": AS_JSON})
def migrate(_: Context, json: bool = False) -> None:
    """[run] Prepare or migrate the database in a one-off container, and prove it.

    Example: invoke migrate
    """
    from chatwoot_ops.operations.migrate import migrate as run

    perform(opened(run), json=json)


@task(
    help={
        "verify": "Take none; the same as 'verify --level archive' of a set that is there.",
        "set": "Which set to verify: its name, or latest.",
        "no-push": "Leave the set here, also where BACKUP_REMOTE is set.",
        "kind": "logical or physical (else BACKUP_KIND).",
        "whole": "Share no stored file with an earlier set.",
        "identity": "With --verify: file with the age private key that opens an encrypted set, or - to type it.",
        "json": AS_JSON,
    }
)
def backup(  # noqa: PLR0917 - each is a flag
    _: Context,
    verify: bool = False,
    set: str = "latest",  # noqa: A002 - the flag's name
    kind: str = "",
    identity: str = "",
    no_push: bool = False,
    whole: bool = False,
    json: bool = False,
) -> None:
    """[keep] Take a backup set while the stack serves, or verify one.

    Example: invoke backup --verify --set latest
    """
    from chatwoot_ops.operations import backup_sets
    from chatwoot_ops.operations.pushing import back_up_off_site

    look = functools.partial(backup_sets.verify_set, name=set, given=identity)
    take = functools.partial(back_up_off_site, kind=kind, whole=whole, push_it=not no_push)
    act = look if verify else take
    perform(opened(act), json=json)


@task(
    help={
        "set": WHICH_SET,
        "level": "checksums; archive: the archives are read to their end too; restore: a drill of the set.",
        "identity": "File with the age private key that opens an encrypted set, or - to type it.",
        "settings": "With --level restore: a copy of the .env that the data was made with.",
        "json": AS_JSON,
    }
)
def verify(
    _: Context,
    set: str = "latest",  # noqa: A002 - the flag's name
    level: str = "archive",
    identity: str = "",
    settings: str = "",
    json: bool = False,
) -> None:
    """[keep] Read a backup set back, as thoroughly as asked; notes time and level in the set.

    Example: invoke verify --set latest --level checksums
    """
    from chatwoot_ops.console.drill_page import drill_page
    from chatwoot_ops.errors import ChecksFailedError
    from chatwoot_ops.operations.drill import DrillOptions
    from chatwoot_ops.operations.verify import verify as read_back

    options = DrillOptions(set, identity, settings)
    act = lambda place, host: read_back(place, host, options, level, drill_page)  # noqa: E731
    perform(act, json=json, failing=ChecksFailedError.code)


@task(
    name="keys",
    help={
        "to": "Make a pair: the file that the private key is written to; move it off this server then.",
        "add": "With --to: add the public key to BACKUP_RECIPIENTS in .env.",
        "prove": "Make none; prove that a private key kept elsewhere opens a set.",
        "identity": "With --prove: file with that private key (else it is asked for).",
        "set": "With --prove: which set, its name or latest.",
        "json": AS_JSON,
    },
)
def backup_keys(  # noqa: PLR0917 - each is a flag
    _: Context,
    to: str = "",
    add: bool = False,
    prove: bool = False,
    identity: str = "",
    set: str = "latest",  # noqa: A002 - the flag's name
    json: bool = False,
) -> None:
    """[keep] Make a key pair for encrypted sets, or prove that a private key kept elsewhere opens one.

    Example: invoke backup.keys --to ~/chatwoot-backup-key.txt --add
    """
    from chatwoot_ops.operations.backup_keys import make_keys
    from chatwoot_ops.operations.key_proof import prove_key

    proved = functools.partial(prove_key, name=set, given=identity)
    perform(proved if prove else functools.partial(make_keys, to=to, add=add), json=json)


@task(help={"remote": "Those at BACKUP_REMOTE instead.", "json": AS_JSON})
def backups(_: Context, remote: bool = False, json: bool = False) -> None:
    """[keep] The backup sets: kind, age, size, release, newest message, verified when and how, off-site since when.

    Example: invoke backups
    """
    from chatwoot_ops.operations import backup_sets
    from chatwoot_ops.operations.remote import list_remote

    act = list_remote if remote else backup_sets.list_sets
    perform(opened(act), json=json)


@task(
    help={
        "set": "Which set: its name, latest, or a path to its folder.",
        "all": "Every set that is not there yet, oldest first.",
        "wal": "No set, only the finished WAL of the archive.",
        "json": AS_JSON,
    }
)
def push(_: Context, set: str = "latest", all: bool = False, wal: bool = False, json: bool = False) -> None:  # noqa: A002 - the flags' names
    """[keep] Bring a set off-site to BACKUP_REMOTE and read every byte of it back; goes on where it stopped.

    Example: invoke push --set latest
    """
    from chatwoot_ops.operations import pushing
    from chatwoot_ops.operations.pushing_all import push_all

    act = push_all if all else pushing.push_archive if wal else functools.partial(pushing.push, name=set)
    perform(opened(act), json=json)


@task(
    help={
        "set": "Which set: its name, latest, or INSTALLATION/NAME.",
        "settings": "File with the BACKUP_REMOTE settings, where there is no .env (else the environment).",
        "json": AS_JSON,
    }
)
def pull(_: Context, set: str = "latest", settings: str = "", json: bool = False) -> None:  # noqa: A002 - the flag's name
    """[keep] Fetch a set from off-site and compare every checksum; needs no stack.

    Example: invoke pull --set latest
    """
    from chatwoot_ops.operations.pulling import pull as fetch

    perform(lambda place, host: fetch(place, host, set, settings), json=json)


@task(
    help={
        "set": "Which set: its name, or latest.",
        "off": "Take the mark away.",
        "json": AS_JSON,
    }
)
def keep(_: Context, set: str = "", off: bool = False, json: bool = False) -> None:  # noqa: A002 - the flag's name
    """[keep] Mark a backup set so that no prune removes it.

    Example: invoke keep --set 20261124T023000Z-logical
    """
    from chatwoot_ops.operations.keep import keep as mark

    perform(opened(mark, set, off=off), json=json)


@task(
    help={
        "remote": "Remove copies at BACKUP_REMOTE instead; the sets here stay.",
        "yes": "Confirm on the command line what would be removed.",
        "dry-run": "Only show what keeps each set, and which would go.",
        "json": AS_JSON,
    }
)
def prune(_: Context, remote: bool = False, yes: bool = False, dry_run: bool = False, json: bool = False) -> None:
    """[keep] Remove the backup sets that no rule keeps; shows them and asks.

    Example: invoke prune --dry-run
    """
    from chatwoot_ops.operations import prune as pruning
    from chatwoot_ops.operations import prune_remote

    look = prune_remote.planned_remote if remote else pruning.intended_prune
    act = look if dry_run else functools.partial(prune_remote.prune_remote if remote else pruning.prune, yes=yes)
    perform(opened(act), json=json)


@task(
    help={
        "install": "Install it with systemd, or with cron where there is none; shows what it writes and asks.",
        "remove": "Take it off this machine.",
        "run": "Run one task now as the schedule does: its end is noted and told to BACKUP_PING_URL.",
        "yes": "Confirm on the command line what would be written.",
        "dry-run": "With --install or --remove: only say what would be done.",
        "json": AS_JSON,
    }
)
def schedule(  # noqa: PLR0917 - each is a flag
    _: Context,
    install: bool = False,
    remove: bool = False,
    run: str = "",
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """[keep] Backup, verification and pruning by themselves: show, install, or remove what runs them.

    Example: invoke schedule --install
    """
    from chatwoot_ops import console
    from chatwoot_ops.operations.schedule_install import Asked, schedule_as_asked
    from chatwoot_ops.operations.scheduled_run import run_scheduled

    if run:
        return perform(lambda place, host: run_scheduled(place, host, run, console.print_line), json=json)
    asked = Asked(install, remove, yes, dry_run)
    return perform(opened(schedule_as_asked, asked), json=json)


@task(
    help={
        "set": WHICH_SET,
        "from-remote": "Fetch the set from BACKUP_REMOTE first.",
        "dump": "Instead of a set: a dump made by pg_dump (custom, directory or plain SQL, gzipped or not).",
        "storage": "With --dump: a tar of its storage folder, gzipped or not.",
        "to": "Go to a moment by the WAL archive: a time with its zone, or latest.",
        "to-before": "The same, to just before an upgrade: the release it went to, or last.",
        "adopt": "Take over a set of another installation.",
        "migrate": MIGRATE,
        "identity": IDENTITY,
        "settings": THEIR_SETTINGS,
        "export-newer": "Save the rows that the source does not have to this file first, as JSON lines.",
        "yes": YES_TO_LOSS,
        "dry-run": LOOK_ONLY,
        "json": AS_JSON,
    }
)
def restore(  # noqa: PLR0917 - each is a flag
    _: Context,
    set: str = "latest",  # noqa: A002 - the flag's name
    from_remote: bool = False,
    dump: str = "",
    storage: str = "",
    to: str = "",
    to_before: str = "",
    adopt: bool = False,
    migrate: bool = False,
    identity: str = "",
    settings: str = "",
    export_newer: str = "",
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """[keep] Replace the data by a backup set's, or by a dump from elsewhere; shows what would be lost and asks.

    Example: invoke restore --set latest
    """
    from chatwoot_ops.operations.restore import intended_restore, restore_from
    from chatwoot_ops.operations.restore_result import RestoreOptions

    options = RestoreOptions(yes, adopt, migrate, identity, settings, export_newer)
    where = {"set": set, "dump": dump, "storage": storage, "to": to, "before": to_before}
    where["remote"] = "yes" if from_remote else ""
    act = intended_restore if dry_run else restore_from
    perform(lambda place, host: act(place, host, where, options), json=json)


@task(
    help={
        "to": "The release, such as v4.15.1-ce, or a whole image (else the newest of the repository in use).",
        "yes": "Confirm the plan on the command line.",
        "dry-run": "Only show the plan; the new image is fetched.",
        "json": AS_JSON,
    }
)
def upgrade(_: Context, to: str = "", yes: bool = False, dry_run: bool = False, json: bool = False) -> None:
    """[keep] Move to another release: backup first, migrate, prove; rolled back when it fails.

    Example: invoke upgrade --to v4.15.1-ce
    """
    from chatwoot_ops.operations.upgrade import upgrade as move
    from chatwoot_ops.operations.upgrade_plan import intended_upgrade

    act = intended_upgrade if dry_run else functools.partial(move, yes=yes)
    perform(opened(act, to=to), json=json)


@task(help={"yes": YES_TO_LOSS, "json": AS_JSON})
def rollback(_: Context, yes: bool = False, json: bool = False) -> None:
    """[keep] Back to the release before the last upgrade, with its data as it was then.

    Example: invoke rollback
    """
    from chatwoot_ops.operations.rollback import roll_back

    perform(lambda place, host: roll_back(place, host, yes=yes), json=json)


@task
def console(_: Context) -> None:
    """[open] A Rails console in the running web container.

    Example: invoke console
    """
    from chatwoot_ops.operations import reading

    perform(opened(reading.rails_console))


@task(help={"superuser": "As the database's superuser instead of Chatwoot's own role."})
def psql(_: Context, superuser: bool = False) -> None:
    """[open] psql in the running database container.

    Example: invoke psql
    """
    from chatwoot_ops.operations import reading

    perform(opened(reading.psql, superuser=superuser))


@task(
    help={
        "quick": QUICK,
        "json": AS_JSON,
        "junit": "Write the probes to this file as JUnit XML too.",
    }
)
def smoke(_: Context, quick: bool = False, json: bool = False, junit: str = "") -> None:
    """[look] Prove from outside and inside that the running stack works; exit 25 when a probe fails.

    Example: invoke smoke --junit smoke.xml
    """
    from chatwoot_ops.errors import ChecksFailedError
    from chatwoot_ops.operations.smoke import smoke as ask

    perform(opened(ask, quick=quick), json=json, junit=junit, failing=ChecksFailedError.code)


@task(
    help={
        "json": AS_JSON,
        "junit": "Write the checks to this file as JUnit XML too.",
    }
)
def doctor(_: Context, json: bool = False, junit: str = "") -> None:
    """[look] Machine, settings, volumes and running stack in one list; exit 25 when a check fails.

    Example: invoke doctor
    """
    from chatwoot_ops.errors import ChecksFailedError
    from chatwoot_ops.operations.doctor import doctor as look

    perform(look, json=json, junit=junit, failing=ChecksFailedError.code)


@task(
    help={
        "finish": "Run the operation that was cut off to its end.",
        "undo": "Put back what was before it.",
        "identity": "With --finish: file with the private key of the encrypted set that was being restored.",
        "json": AS_JSON,
    }
)
def recover(_: Context, finish: bool = False, undo: bool = False, identity: str = "", json: bool = False) -> None:
    """[repair] Show an operation that was cut off; finish it or undo it.

    Example: invoke recover --finish
    """
    from chatwoot_ops.operations.recover import recover as end

    perform(lambda place, host: end(place, host, finish=finish, undo=undo, identity=identity), json=json)


@task(
    help={
        "images": "registry or sandbox (else registry where it can be reached, and it says which).",
        "quick": "Only set-up, smoke check and removal.",
        "json": AS_JSON,
    }
)
def rehearse(_: Context, images: str = "", quick: bool = False, json: bool = False) -> None:
    """[prove] The whole life of a stack on a throwaway one; leaves nothing behind.

    Example: invoke rehearse --images sandbox
    """
    from chatwoot_ops.operations.rehearse import rehearse as run

    perform(lambda place, host: run(place, host, images=images, quick=quick), json=json)


@task(
    help={
        "set": WHICH_SET,
        "from-remote": "Take the set straight from BACKUP_REMOTE; what was fetched is removed afterwards.",
        "identity": IDENTITY,
        "settings": THEIR_SETTINGS,
        "json": AS_JSON,
    }
)
def drill(
    _: Context,
    set: str = "latest",  # noqa: A002 - the flag's name
    from_remote: bool = False,
    identity: str = "",
    settings: str = "",
    json: bool = False,
) -> None:
    """[prove] Restore a set into a throwaway stack that reaches nobody; prove and time it; exit 25 when it fails.

    Example: invoke drill --set latest
    """
    from chatwoot_ops.console.drill_page import drill_page
    from chatwoot_ops.errors import ChecksFailedError
    from chatwoot_ops.operations.drill import DrillOptions
    from chatwoot_ops.operations.drill import drill as run

    options = DrillOptions(set, identity, settings, from_remote)
    perform(lambda place, host: run(place, host, options, drill_page), json=json, failing=ChecksFailedError.code)


def _named() -> Collection:
    """Every task above under its name; what stands below `backup` too, which by itself takes a set."""
    below = Collection("backup")
    below.add_task(backup, name="take", default=True)
    below.add_task(backup_keys)
    root = Collection()
    for each in tuple(globals().values()):
        if isinstance(each, Task) and each not in {backup, backup_keys}:
            root.add_task(each)
    root.add_collection(below)
    return root


namespace = _named()
