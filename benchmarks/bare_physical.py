"""What an operator would do by hand with the cluster's files: pg_basebackup or tar; unpack, sync, start, stop."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from bare import TO_FILE, container, docker, limits, succeeds
from chatwoot_ops.commands import physical
from chatwoot_ops.commands.database import where
from chatwoot_ops.commands.docker import PROJECT_LABEL
from chatwoot_ops.model.cluster import COMPRESSIONS, Compression
from chatwoot_ops.model.stack import DATABASE, Stack
from filled import COMPOSE

_UNPACK = """
set -e; install -d -m 0700 -o postgres -g postgres /volume/data
tar --extract --directory=/volume/data --file=/set/$1 --use-compress-program=$2; sync -f /volume/data
"""
_TAR = "docker run --rm --volume $1:/volume:ro --entrypoint tar $2 --create --directory=/volume . | gzip > $3; sync $3"


def compression(stack: Stack) -> Compression:
    """The first of our methods that server and image have; ours asks the same."""
    argv = physical.able(stack, COMPOSE, "").argv
    script = argv[argv.index("-c") + 1]
    program = docker("exec", container(stack), "sh", "-c", script, "sh", *where(stack)).split()[0]
    return next(each for each in COMPRESSIONS if each.program == program)


def base_backup(stack: Stack, method: Compression) -> dict[str, float]:
    """Seconds and bytes of `docker exec ... pg_basebackup` to a file, `sha256sum` and `sync`."""
    argv = physical.base_backup(stack, database="", operation="", compression=method).argv
    options = argv[argv.index(stack.images[DATABASE]) + 1 :]
    command = (container(stack), "pg_basebackup", "-U", stack.settings["POSTGRES_SUPERUSER"], *options)
    return _timed(stack, lambda file: subprocess.run(("sh", "-c", TO_FILE, "sh", file, *command), check=True))


def cold_tar(stack: Stack) -> dict[str, float]:
    """Seconds and bytes of `tar` and `gzip` of the volume, as so many guides have it; the server runs on, unheeded."""
    names = (stack.volumes[DATABASE], stack.images[DATABASE])
    return _timed(stack, lambda file: subprocess.run(("sh", "-c", _TAR, "sh", *names, file), check=True))


def _timed(stack: Stack, write: Callable[[Path], object]) -> dict[str, float]:
    folder = stack.backup_folder.parent / "bare"
    folder.mkdir()
    began = perf_counter()
    write(folder / "archive")
    figures = {"seconds": perf_counter() - began, "bytes": float((folder / "archive").stat().st_size)}
    shutil.rmtree(folder)
    return figures


def restore(stack: Stack, archive: Path, method: Compression) -> dict[str, float]:
    """Seconds to unpack into an empty volume, put it on disk, start the server, and stop it when it answers."""
    name = f"{stack.project}-bare"
    label = ("--label", f"{PROJECT_LABEL}={stack.project}", "--label", "com.docker.compose.oneoff=True")
    docker("volume", "create", *label, name)
    began = perf_counter()
    mounts = ("--volume", f"{name}:/volume", "--volume", f"{archive.parent}:/set:ro", "--entrypoint", "sh")
    unpacking = (*limits(stack), *mounts, stack.images[DATABASE], "-c", _UNPACK, "sh", archive.name, method.program)
    docker("run", "--rm", *label, *unpacking)
    served = ("--volume", f"{name}:/volume", "-e", "PGDATA=/volume/data", stack.images[DATABASE], *physical.SERVER)
    docker("run", "-d", "--name", name, *label, *limits(stack), *served)
    while not succeeds("exec", name, "psql", "-h", "127.0.0.1", *where(stack), "-c", "SELECT 1"):
        time.sleep(0.1)
    docker("stop", "--time", "120", name)
    seconds = perf_counter() - began
    docker("rm", "--force", name)
    docker("volume", "rm", name)
    return {"seconds": seconds}
