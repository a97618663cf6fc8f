"""The one-off container in which a restore builds its cluster, beside the one that serves."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.commands.compose import OPERATION_LABEL, compose
from chatwoot_ops.commands.database import where
from chatwoot_ops.commands.docker import docker, in_volume
from chatwoot_ops.model.command import REBUILD_TIMEOUT, Command
from chatwoot_ops.model.stack import DATABASE, Stack

SET_FOLDER = "/set"
# As fast as the unsafe settings and safe (facts/perf.md, 3), within the database's own memory limit.
SERVER = (
    "postgres",
    "-c", "listen_addresses=127.0.0.1",
    "-c", "shared_buffers=256MB",
    "-c", "maintenance_work_mem=256MB",
    "-c", "max_wal_size=4GB",
    "-c", "checkpoint_timeout=1h",
    "-c", "wal_level=minimal",
    "-c", "max_wal_senders=0",
    "-c", "autovacuum=off",
)  # fmt: skip
JOBS = 2


def start(stack: Stack, program: Path, *, operation: str, cluster: str, folder: Path) -> Command:
    """Starts the container; its server answers by TCP inside it once the cluster is made."""
    name = container(stack, operation)
    flags = ("--label", f"{OPERATION_LABEL}={operation}", "--name", name, "--volume", f"{folder}:{SET_FOLDER}:ro")
    verb = (
        "run",
        "-d",
        "--no-deps",
        *flags,
        "--entrypoint",
        "/bin/sh",
        DATABASE,
        "/chatwoot-ops/stage.sh",
        cluster,
        *SERVER,
    )
    return compose(stack, program, *verb, purpose="Making a cluster beside the one that serves", timeout=300)


def container(stack: Stack, operation: str) -> str:
    """The container's name."""
    return f"{stack.project}-restore-{operation}"


def ask(stack: Stack, operation: str, sql: str, *, purpose: str = "Asking the new cluster") -> Command:
    """SQL in the new cluster, from standard input; bare values on standard output; stops at the first error."""
    argv = ("exec", "-i", container(stack, operation), *_psql(stack))
    return docker(*argv, purpose=purpose, stdin=sql, timeout=REBUILD_TIMEOUT)


def session(stack: Stack, operation: str) -> Command:
    """The same, talked to line by line or fed with a whole dump."""
    return docker(
        "exec",
        "-i",
        container(stack, operation),
        *_psql(stack),
        purpose="Reading the new cluster",
        timeout=REBUILD_TIMEOUT,
    )


LOAD = ("--no-owner", "--no-privileges", "--exit-on-error", "-h", "127.0.0.1")


LAST_SECTION = "-- here the list ends"
_OUTLINE = f"""pg_restore --list "$1" && echo '{LAST_SECTION}' && exec pg_restore --section=post-data --file=- "$1" """
_LOAD_LISTED = 'cat > /tmp/use.list && exec pg_restore --use-list=/tmp/use.list "$@"'


def outline(stack: Stack, operation: str, name: str) -> Command:
    """Prints a dump's list of contents, the line LAST_SECTION, and its constraints and indexes as SQL."""
    argv = ("exec", container(stack, operation), "sh", "-c", _OUTLINE, "sh", f"{SET_FOLDER}/{name}")
    return docker(*argv, purpose="Reading what the dump holds", timeout=300)


def load(stack: Stack, operation: str, name: str, use_list: str = "") -> Command:
    """pg_restore of a custom or directory dump in the mounted folder, without the owners and grants it names.

    With a `use_list` only the entries that it names.
    """
    options = ("--jobs", str(JOBS), *LOAD, *where(stack), f"{SET_FOLDER}/{name}")
    if use_list:
        argv = ("exec", "-i", container(stack, operation), "sh", "-c", _LOAD_LISTED, "sh", *options)
        return docker(*argv, purpose="Loading the dump", timeout=REBUILD_TIMEOUT, stdin=use_list)
    argv = ("exec", container(stack, operation), "pg_restore", *options)
    return docker(*argv, purpose="Loading the dump", timeout=REBUILD_TIMEOUT)


def load_from_pipe(stack: Stack, operation: str) -> Command:
    """The same from standard input, in one thread."""
    argv = ("exec", "-i", container(stack, operation), "pg_restore", *LOAD, *where(stack))
    return docker(*argv, purpose="Loading the dump", timeout=REBUILD_TIMEOUT)


def end(stack: Stack, operation: str) -> Command:
    """Stops the server with a checkpoint."""
    return docker("stop", "--time", "120", container(stack, operation), purpose="Stopping the new cluster", timeout=240)


def last_words(stack: Stack, operation: str) -> Command:
    """What the container said last."""
    return docker("logs", "--tail", "12", container(stack, operation), purpose="Reading why it did not start")


def remove(stack: Stack, operation: str) -> Command:
    """Ends the container at once, server and all."""
    return docker("rm", "--force", container(stack, operation), purpose="Removing the one-off container")


def _psql(stack: Stack) -> tuple[str, ...]:
    return ("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", *where(stack))


def name_cluster(stack: Stack, cluster: str) -> Command:
    """Takes the ending .partial from a cluster that was proved."""
    script = f"mv -T /volume/clusters/{cluster}.partial /volume/clusters/{cluster} && sync"
    return _in_database_volume(stack, script)


def current_cluster(stack: Stack) -> Command:
    """Prints what the volume's link points to, nothing where there is none."""
    return _in_database_volume(stack, "readlink /volume/current || true")


def has_cluster(stack: Stack, target: str) -> Command:
    """Exits 0 when the volume holds a cluster there; "" is the volume's root."""
    return _in_database_volume(stack, f"[ -s /volume/{target}/PG_VERSION ]")


def swap(stack: Stack, target: str) -> Command:
    """Points the link to another cluster in one step; without a target takes it away: a cluster in the root serves."""
    script = f"ln -sfn {target} current.new && mv -T current.new current" if target else "rm -f current"
    return _in_database_volume(stack, f"cd /volume && {script} && sync")


def remove_clusters_but(stack: Stack, *kept: str) -> Command:
    """Removes every cluster folder but these (targets as the link has them)."""
    tests = " ".join(f"! -path './{target}'" for target in kept if target)
    script = f"cd /volume && [ ! -d clusters ] || find ./clusters -mindepth 1 -maxdepth 1 {tests} -exec rm -rf {{}} +"
    return _in_database_volume(stack, script)


def remove_partial(stack: Stack, cluster: str) -> Command:
    """Removes a cluster that was never put into service."""
    return _in_database_volume(stack, f"rm -rf /volume/clusters/{cluster} /volume/clusters/{cluster}.partial")


def _in_database_volume(stack: Stack, script: str) -> Command:
    return in_volume(stack.images[DATABASE], stack.volumes[DATABASE], script, write=True)


# A cluster in the volume's root lies beside things that are not its own.
_COPY = """
set -e; cd /volume; mkdir -p clusters; rm -rf "clusters/$new.partial"; mkdir -m 700 "clusters/$new.partial"
chown --reference="./$old" "clusters/$new.partial"
find "./$old" -mindepth 1 -maxdepth 1 ! -path ./clusters ! -path ./current ! -path './.*' \\
  -exec cp -a --reflink=auto --target-directory="clusters/$new.partial" {} +
sync; mv -T "clusters/$new.partial" "clusters/$new"; sync
"""


def copy_cluster(stack: Stack, previous: str, cluster: str) -> Command:
    """A second, whole copy of a stopped cluster; shares blocks where the filesystem can."""
    script = f"old='{previous}' new='{cluster}'\n{_COPY}"
    return in_volume(stack.images[DATABASE], stack.volumes[DATABASE], script, write=True, timeout=REBUILD_TIMEOUT)
