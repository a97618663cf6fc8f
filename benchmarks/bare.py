"""What an operator would do by hand with dumps: pg_dump to a file; pg_restore or psql into a new cluster."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from chatwoot_ops.commands.backup import COMPRESSIONS
from chatwoot_ops.commands.database import where
from chatwoot_ops.commands.docker import PROJECT_LABEL
from chatwoot_ops.commands.staging import JOBS, LOAD, SERVER
from chatwoot_ops.model.stack import DATABASE, Stack

# What is written is on disk and has a checksum when it ends.
_TO_FILE = 'set -e; file=$1; shift; docker "$@" > "$file"; sha256sum "$file" > "$file.sha256"; sync "$file"'
_TO_MOUNT = """
set -e; made=$1; shift; docker "$@"
find "$made" -type f -exec sha256sum {} + > "$made.sha256"; find "$made" -type f -exec sync {} +
"""
_TO_GZIP = 'set -e; file=$1; shift; docker "$@" | gzip > "$file"; sync "$file"'
_FROM_GZIP = 'set -e; file=$1; shift; gunzip -c "$file" | docker "$@" >/dev/null'


def docker(*argv: str) -> str:
    """What a Docker call answers."""
    return subprocess.run(("docker", *argv), check=True, capture_output=True, text=True).stdout.strip()


def succeeds(*argv: str) -> bool:
    """Whether a Docker call ends with 0."""
    return subprocess.run(("docker", *argv), check=False, capture_output=True).returncode == 0


def container(stack: Stack) -> str:
    """The database's container."""
    return f"{stack.project}-{DATABASE}-1"


def beside(stack: Stack) -> tuple[str, ...]:
    """Options of a container that reaches the server without its limits, as ours does."""
    network = ("--network", f"container:{container(stack)}", "-e", "PGHOST=127.0.0.1")
    return ("--rm", "--log-driver", "none", *network, "-e", f"PGUSER={stack.settings['POSTGRES_SUPERUSER']}")


def compression(stack: Stack) -> str:
    """The first of our methods that this pg_dump has; ours tries them too."""
    try_it = ("exec", container(stack), "pg_dump", "-U", "postgres", "-d", "template1", "-s", "-Fc")
    return next(each for each in COMPRESSIONS if succeeds(*try_it, f"--compress={each}"))


def megabytes_of_database(stack: Stack) -> float:
    """The size of the database in MB."""
    sql = "SELECT pg_database_size(current_database())"
    return int(docker("exec", container(stack), "psql", "-XqtA", *where(stack), "-c", sql)) / 1e6


def written(stack: Stack, script: str, *argv: str) -> dict[str, float]:
    """Seconds and bytes of a Docker call whose output a script puts into a file of a folder that is removed again."""
    folder = stack.backup_folder.parent / "bare"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began = perf_counter()
    subprocess.run(("sh", "-c", script, "sh", folder / "file", *argv), check=True)
    seconds = perf_counter() - began
    size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    shutil.rmtree(folder)
    return {"seconds": seconds, "bytes": size}


def to_file(stack: Stack, *argv: str) -> dict[str, float]:
    """Seconds and bytes of a Docker call's output in a file, with `sha256sum` and `sync`."""
    return written(stack, _TO_FILE, *argv)


def dump_inside(stack: Stack, method: str) -> dict[str, float]:
    """`docker exec ... pg_dump -Fc` to a file."""
    return to_file(stack, "exec", container(stack), "pg_dump", "-Fc", f"--compress={method}", *where(stack))


def dump_beside(stack: Stack, method: str) -> dict[str, float]:
    """The same in a container of its own."""
    run = ("run", *beside(stack), "--entrypoint", "pg_dump", stack.images[DATABASE])
    return to_file(stack, *run, "-Fc", f"--compress={method}", *where(stack))


def dump_to_mount(stack: Stack, method: str, *form: str) -> dict[str, float]:
    """`pg_dump` of this form in a container of its own, straight into a mounted folder."""
    folder = stack.backup_folder.parent / "bare"
    run = ("run", *beside(stack), "--user", "0", "-v", f"{folder}:/out", "--entrypoint", "pg_dump")
    options = (*form, "-f", "/out/file", f"--compress={method}")
    return written(stack, _TO_MOUNT, *run, stack.images[DATABASE], *options, *where(stack))


def dump_gzip(stack: Stack) -> dict[str, float]:
    """`docker exec ... pg_dump | gzip` to a file, as so many guides have it."""
    return written(stack, _TO_GZIP, "exec", container(stack), "pg_dump", *where(stack))


def plain_dump(stack: Stack) -> Path:
    """A dump as SQL in gzip, made now where there is none."""
    path = stack.backup_folder.parent / "plain.sql.gz"
    if not path.exists():
        call = ("docker", "exec", container(stack), "pg_dump", "--no-owner", "--no-privileges", *where(stack))
        with path.open("wb") as file, subprocess.Popen(call, stdout=subprocess.PIPE) as dump:
            subprocess.run(("gzip", "-1"), stdin=dump.stdout, stdout=file, check=True)
    return path


def restore_dump(stack: Stack, dump: Path) -> dict[str, float]:
    """`pg_restore` with our jobs and server settings, from an empty volume to a stopped server that holds the dump."""

    def load(name: str) -> None:
        docker("exec", name, "pg_restore", "--jobs", str(JOBS), *LOAD, *where(stack), f"/set/{dump.name}")

    return _restored(stack, ("--volume", f"{dump.parent}:/set:ro"), SERVER, load)


def restore_plain(stack: Stack, dump: Path) -> dict[str, float]:
    """`gunzip | psql` with the server's own settings, likewise."""

    def load(name: str) -> None:
        call = ("exec", "-i", name, "psql", "-X", "-q", "-h", "127.0.0.1", *where(stack))
        subprocess.run(("sh", "-c", _FROM_GZIP, "sh", dump, *call), check=True)

    return _restored(stack, (), ("postgres",), load)


def _restored(
    stack: Stack, mounts: tuple[str, ...], server: tuple[str, ...], load: Callable[[str], None]
) -> dict[str, float]:
    name, label = f"{stack.project}-bare", labels(stack)
    docker("volume", "create", *label, name)
    began = perf_counter()
    initdb = ("-e", "POSTGRES_INITDB_ARGS=--encoding=UTF8 --data-checksums", "-e", "POSTGRES_HOST_AUTH_METHOD=trust")
    database = ("-e", f"POSTGRES_DB={stack.settings['POSTGRES_DATABASE']}")
    volumes = ("--volume", f"{name}:/var/lib/postgresql/data", *mounts)
    options = (*label, *limits(stack), *volumes, *initdb, *database)
    docker("run", "-d", "--name", name, *options, stack.images[DATABASE], *server)
    wait_until_answering(stack, name)
    load(name)
    docker("stop", "--time", "120", name)
    seconds = perf_counter() - began
    remove(name)
    return {"seconds": seconds}


def wait_until_answering(stack: Stack, name: str) -> None:
    """Returns when the server in a container answers by TCP."""
    while not succeeds("exec", name, "psql", "-h", "127.0.0.1", *where(stack), "-c", "SELECT 1"):
        time.sleep(0.1)


def remove(name: str) -> None:
    """Removes container and volume of this name."""
    docker("rm", "--force", "--volumes", name)
    docker("volume", "rm", name)


def labels(stack: Stack) -> tuple[str, ...]:
    """Whatever ends this run, what carries the project's label goes with the stack."""
    return ("--label", f"{PROJECT_LABEL}={stack.project}", "--label", "com.docker.compose.oneoff=True")


def limits(stack: Stack) -> tuple[str, ...]:
    """The limits of the service, which are those of our one-off container too."""
    found = json.loads(docker("inspect", "--format", "{{json .HostConfig}}", container(stack)))
    return (
        f"--cpus={found['NanoCpus'] / 1e9}",
        f"--memory={found['Memory']}",
        f"--memory-swap={found['MemorySwap']}",
        f"--shm-size={found['ShmSize']}",
    )


def stop_and_start(stack: Stack) -> dict[str, float]:
    """Seconds from stopping the stack's own database until it answers again."""
    began = perf_counter()
    docker("stop", "--time", "120", container(stack))
    docker("start", container(stack))
    wait_until_answering(stack, container(stack))
    return {"seconds": perf_counter() - began}
