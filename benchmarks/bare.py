"""What an operator would do by hand: pg_dump to a file; pg_restore into a new cluster with our limits and settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from time import perf_counter

from chatwoot_ops.commands.backup import COMPRESSIONS
from chatwoot_ops.commands.database import where
from chatwoot_ops.commands.docker import PROJECT_LABEL
from chatwoot_ops.commands.staging import JOBS, LOAD, SERVER
from chatwoot_ops.model.stack import DATABASE, Stack

# The file is on disk and has a checksum when it ends.
TO_FILE = 'set -e; file=$1; shift; docker exec "$@" > "$file"; sha256sum "$file" > "$file.sha256"; sync "$file"'


def docker(*argv: str, check: bool = True) -> str:
    """What a Docker call answers."""
    return subprocess.run(("docker", *argv), check=check, capture_output=True, text=True).stdout.strip()


def container(stack: Stack) -> str:
    """The database's container."""
    return f"{stack.project}-{DATABASE}-1"


def compression(stack: Stack) -> str:
    """The first of our methods that this pg_dump has; ours tries them too."""
    try_it = ("exec", container(stack), "pg_dump", "-U", "postgres", "-d", "template1", "-s", "-Fc")
    tries = (each for each in COMPRESSIONS if succeeds(*try_it, f"--compress={each}"))
    return next(tries)


def succeeds(*argv: str) -> bool:
    """Whether a Docker call ends with 0."""
    return subprocess.run(("docker", *argv), check=False, capture_output=True).returncode == 0


def back_up(stack: Stack, method: str) -> dict[str, float]:
    """Seconds and bytes of `docker exec ... pg_dump -Fc` to a file, `sha256sum` and `sync`."""
    folder = stack.backup_folder.parent / "bare"
    folder.mkdir()
    dump = (container(stack), "pg_dump", "-Fc", f"--compress={method}", *where(stack))
    began = perf_counter()
    subprocess.run(("sh", "-c", TO_FILE, "sh", folder / "dump", *dump), check=True)
    seconds = perf_counter() - began
    size = (folder / "dump").stat().st_size
    shutil.rmtree(folder)
    return {"seconds": seconds, "bytes": size}


def restore(stack: Stack, dump: Path) -> dict[str, float]:
    """Seconds from `docker run` of an empty volume to a stopped server that holds the dump."""
    name = f"{stack.project}-bare"
    # Whatever ends this run, what carries the project's label goes with the stack.
    label = ("--label", f"{PROJECT_LABEL}={stack.project}", "--label", "com.docker.compose.oneoff=True")
    docker("volume", "create", *label, name)
    began = perf_counter()
    _load(stack, name, label, dump)
    seconds = perf_counter() - began
    docker("rm", "--force", name)
    docker("volume", "rm", name)
    return {"seconds": seconds}


def _load(stack: Stack, name: str, label: tuple[str, ...], dump: Path) -> None:
    mounts = ("--volume", f"{name}:/var/lib/postgresql/data", "--volume", f"{dump.parent}:/set:ro")
    initdb = ("-e", "POSTGRES_INITDB_ARGS=--encoding=UTF8 --data-checksums", "-e", "POSTGRES_HOST_AUTH_METHOD=trust")
    database = ("-e", f"POSTGRES_DB={stack.settings['POSTGRES_DATABASE']}")
    options = (*label, *limits(stack), *mounts, *initdb, *database)
    docker("run", "-d", "--name", name, *options, stack.images[DATABASE], *SERVER)
    while not succeeds("exec", name, "psql", "-h", "127.0.0.1", *where(stack), "-c", "SELECT 1"):
        time.sleep(0.1)
    docker("exec", name, "pg_restore", "--jobs", str(JOBS), *LOAD, *where(stack), f"/set/{dump.name}")
    docker("stop", "--time", "120", name)


def limits(stack: Stack) -> tuple[str, ...]:
    """The limits of the service, which are those of our one-off container too."""
    found = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", container(stack)))
    return (
        f"--cpus={found['NanoCpus'] / 1e9}",
        f"--memory={found['Memory']}",
        f"--memory-swap={found['MemorySwap']}",
        f"--shm-size={found['ShmSize']}",
    )
