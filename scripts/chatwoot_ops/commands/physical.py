"""What a physical backup and its restore run: pg_basebackup beside the server, tar and pg_verifybackup."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.commands import compose
from chatwoot_ops.commands.backup import beside
from chatwoot_ops.commands.compose import OPERATION_LABEL
from chatwoot_ops.commands.database import where
from chatwoot_ops.commands.docker import docker
from chatwoot_ops.commands.staging import SET_FOLDER, container
from chatwoot_ops.model.cluster import COMPRESSIONS, Compression
from chatwoot_ops.model.command import COPY_TIMEOUT, Command
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.model.wal import PARTIAL, Recovery

_ARCHIVE = "/wal"
_FOLDER = "/var/lib/postgresql/data/clusters"
_SERVE = "echo > /tmp/serve"
_PROGRAMS = " ".join(each.program for each in COMPRESSIONS)
# An archive is of no use where nothing unpacks it: lz4's program is in few images whose server can write the format.
# Whether a build has a method is the same for all its programs, and pg_dump shows it without a connection for long.
_ABLE = f"""
for method in {_PROGRAMS}; do
  command -v "$method" >/dev/null &&
    pg_dump -U "$POSTGRES_USER" -d template1 --schema-only -Fc --compress="$method" </dev/null >/dev/null 2>&1 && break
done
echo "$method $(uname -m)"
exec psql -X -q -t -A -v ON_ERROR_STOP=1 "$@"
"""
# As for a logical restore, but the WAL stays what the cluster that will serve writes, and nothing leaves the container:
# the files bring their own configuration, which may archive, or wait for a receiver that is not here.
SERVER = (
    "postgres",
    "-c", "listen_addresses=127.0.0.1",
    "-c", "shared_buffers=256MB",
    "-c", "max_wal_size=4GB",
    "-c", "checkpoint_timeout=1h",
    "-c", "archive_mode=off",
    "-c", "synchronous_standby_names=",
    "-c", "autovacuum=off",
)  # fmt: skip


def able(stack: Stack, program: Path, facts: str) -> Command:
    """Prints the best program that server and image have for an archive, the architecture, and last a line of facts.

    `facts` is SQL; it is asked in the same call, for each call takes as long as copying many megabytes.
    """
    argv = ("sh", "-c", _ABLE, "sh", *where(stack))
    purpose = "Asking what cluster it is"
    return compose.execute(stack, program, DATABASE, *argv, purpose=purpose, stdin=facts)


def base_backup(stack: Stack, *, database: str, operation: str, compression: Compression) -> Command:
    """The running cluster as one tar on standard output, its backup manifest inside; says start and stop on the other.

    It runs beside the container `database`, as a dump does. A stream to standard output allows no second one for the
    WAL: it is fetched at the end.
    """
    options = (*beside(stack, database, operation), "--env", "LC_ALL=C", "--entrypoint", "pg_basebackup")
    argv = (
        *("--no-password", "--pgdata=-", "--format=tar", "--wal-method=fetch", "--checkpoint=fast", "--no-sync"),
        *("--verbose", "--manifest-checksums=CRC32C", f"--compress={compression.option}"),
    )
    return docker(*options, stack.images[DATABASE], *argv, purpose="Copying the running cluster", timeout=COPY_TIMEOUT)


def image_abilities(image: str) -> Command:
    """Prints what decides whether an image can run a cluster: architecture, major version, programs that unpack."""
    script = (
        f"uname -m; postgres --version | sed 's/[^0-9]*\\([0-9]*\\).*/\\1/'; for each in {_PROGRAMS}; do "
        'command -v "$each" >/dev/null && echo "$each"; done; true'
    )
    argv = ("run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", script)
    return docker(*argv, purpose="Asking what the database image can do", timeout=600)


def start(
    stack: Stack, program: Path, *, operation: str, cluster: str, folder: Path, recovery: Recovery | None = None
) -> Command:
    """Starts the container; it makes the cluster's empty folder and serves only when `verify` or `recover` tells it to.

    With a recovery the archive of the WAL is there too, for reading, and the server is told how far to go.
    """
    flags = ("--label", f"{OPERATION_LABEL}={operation}", "--name", container(stack, operation))
    archive = ("--volume", f"{stack.wal_place}:{_ARCHIVE}:ro") if recovery else ()
    mount = ("--volume", f"{folder}:{SET_FOLDER}:ro", *archive, "--entrypoint", "/bin/sh")
    server = (*SERVER, *(recovering(recovery) if recovery else ()))
    verb = ("run", "-d", "--no-deps", *flags, *mount, DATABASE, "/chatwoot-ops/unpack.sh", cluster, *server)
    return compose.compose(stack, program, *verb, purpose="Making a cluster beside the one that serves", timeout=300)


def recovering(recovery: Recovery) -> tuple[str, ...]:
    """The server options of a recovery: where its WAL comes from, how far it goes, what comes then."""
    # Not open before the end: whoever asks meanwhile would take a moment on the way for the one that was asked for.
    # A segment that was never finished is archived under another name.
    fetch = f'cp "{_ARCHIVE}/{recovery.chain}/%f" "%p" || cp "{_ARCHIVE}/{recovery.chain}/%f{PARTIAL}" "%p"'
    options = (
        "hot_standby=off",
        f"restore_command={fetch}",
        "recovery_target_timeline=current",
        "recovery_target_action=promote",
        *((f"recovery_target_time={recovery.until}",) if recovery.until else ()),
    )
    return tuple(part for option in options for part in ("-c", option))


def recover(stack: Stack, operation: str, cluster: str) -> Command:
    """Makes the verified cluster one that reads the archive of the WAL when it starts, and starts its server."""
    script = f'touch "$0/recovery.signal" && {_SERVE}'
    return docker(*_at_cluster(stack, operation, cluster, script), purpose="Starting the recovery", timeout=60)


def _at_cluster(stack: Stack, operation: str, cluster: str, script: str) -> tuple[str, ...]:
    """Runs a script as the server's own user, which has the unpacked cluster's folder as $0."""
    who = ("exec", "--user", "postgres", container(stack, operation))
    return (*who, "sh", "-c", script, f"{_FOLDER}/{cluster}.partial")


def unpack(stack: Stack, operation: str, cluster: str, name: str, compression: Compression) -> Command:
    """Unpacks an archive of the mounted folder into the cluster's folder, owners and rights as they were."""
    folder = f"{_FOLDER}/{cluster}.partial"
    # What it wrote goes to disk while it is verified; the server's own start, which waits for that, finds it done.
    to_disk = f"sync -f {folder} </dev/null >/dev/null 2>&1 &"
    script = f'until [ -d {folder} ]; do sleep 0.1; done; tar --extract --directory={folder} "$@" || exit; {to_disk}'
    options = (f"--file={SET_FOLDER}/{name}", f"--use-compress-program={compression.program}")
    argv = ("exec", container(stack, operation), "sh", "-c", script, "sh", *options)
    return docker(*argv, purpose="Unpacking the cluster", timeout=COPY_TIMEOUT)


def verify(stack: Stack, operation: str, cluster: str, *, serve: bool) -> Command:
    """Holds every unpacked file against the backup manifest, and reads the WAL that the cluster needs.

    With `serve` the waiting container then starts its server, in the same call: each takes as long as much copying.
    """
    script = 'pg_verifybackup "$0"' + (f" && {_SERVE}" if serve else "")
    argv = _at_cluster(stack, operation, cluster, script)
    return docker(*argv, purpose="Verifying the unpacked cluster", timeout=COPY_TIMEOUT)
