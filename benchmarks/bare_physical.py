"""What an operator would do by hand with the cluster's files: pg_basebackup or tar; unpack, sync, start, stop."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter

from bare import beside, container, docker, labels, limits, remove, to_file, wait_until_answering, written
from chatwoot_ops.commands import physical
from chatwoot_ops.commands.database import where
from chatwoot_ops.model.cluster import COMPRESSIONS, Compression
from chatwoot_ops.model.stack import DATABASE, Stack
from filled import COMPOSE

_UNPACK = """
set -e; install -d -m 0700 -o postgres -g postgres /volume/data
tar --extract --directory=/volume/data --file=/set/$1 --use-compress-program=$2; sync -f /volume/data
"""
# A file that grows while it is read is no error here: the server runs on, unheeded.
_TAR_GZIP = 'file=$1; shift; docker "$@" 2>/dev/null | gzip > "$file"; sync "$file"'


def compression(stack: Stack) -> Compression:
    """The first of our methods that server and image have; ours asks the same."""
    argv = physical.able(stack, COMPOSE, "").argv
    script = argv[argv.index("-c") + 1]
    program = docker("exec", container(stack), "sh", "-c", script, "sh", *where(stack)).split()[0]
    return next(each for each in COMPRESSIONS if each.program == program)


def _options(stack: Stack, method: Compression) -> tuple[str, ...]:
    argv = physical.base_backup(stack, database="", operation="", compression=method).argv
    return argv[argv.index(stack.images[DATABASE]) + 1 :]


def copy_inside(stack: Stack, method: Compression) -> dict[str, float]:
    """`docker exec ... pg_basebackup` to a file."""
    who = ("-U", stack.settings["POSTGRES_SUPERUSER"])
    return to_file(stack, "exec", container(stack), "pg_basebackup", *who, *_options(stack, method))


def copy_beside(stack: Stack, method: Compression) -> dict[str, float]:
    """The same in a container of its own."""
    run = ("run", *beside(stack), "--entrypoint", "pg_basebackup", stack.images[DATABASE])
    return to_file(stack, *run, *_options(stack, method))


def cold_tar(stack: Stack) -> dict[str, float]:
    """`tar` and `gzip` of the cluster in the volume, as so many guides have it; such a copy is of no use."""
    run = ("run", "--rm", "--log-driver", "none", "--volume", f"{stack.volumes[DATABASE]}:/volume:ro")
    tar = ("--entrypoint", "tar", stack.images[DATABASE], "--create", "--directory=/volume/current/", ".")
    return written(stack, _TAR_GZIP, *run, *tar)


def restore(stack: Stack, archive: Path, method: Compression) -> dict[str, float]:
    """Seconds to unpack into an empty volume, put it on disk and start the server; `stopped` with its end."""
    name, label = f"{stack.project}-bare", labels(stack)
    docker("volume", "create", *label, name)
    began = perf_counter()
    mounts = ("--volume", f"{name}:/volume", "--volume", f"{archive.parent}:/set:ro", "--entrypoint", "sh")
    unpacking = (*limits(stack), *mounts, stack.images[DATABASE], "-c", _UNPACK, "sh", archive.name, method.program)
    docker("run", "--rm", *label, *unpacking)
    served = ("--volume", f"{name}:/volume", "-e", "PGDATA=/volume/data", stack.images[DATABASE], *physical.SERVER)
    docker("run", "-d", "--name", name, *label, *limits(stack), *served)
    wait_until_answering(stack, name)
    seconds = perf_counter() - began
    docker("stop", "--time", "120", name)
    stopped = perf_counter() - began
    remove(name)
    return {"seconds": seconds, "stopped": stopped}
