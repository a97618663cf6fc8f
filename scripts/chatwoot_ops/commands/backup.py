"""What a backup runs: pg_dump of the database image, psql that holds its snapshot, tar of the storage volume."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.commands import compose
from chatwoot_ops.commands.database import where
from chatwoot_ops.commands.docker import docker, labels
from chatwoot_ops.commands.stored_files import LIST
from chatwoot_ops.model.command import COPY_TIMEOUT, Command
from chatwoot_ops.model.stack import DATABASE, RAILS, Stack

# Fastest first at nearly the same size (facts/perf.md, 2); what the build cannot do is refused by pg_dump itself.
COMPRESSIONS = ("zstd:1", "lz4", "gzip:1")
# Only a dump shows what the build can do; of an empty database it takes no time.
_DUMP = f"""
for method in {" ".join(COMPRESSIONS)}; do
  pg_dump -d template1 --schema-only -Fc --compress="$method" >/dev/null 2>&1 && break
done
exec pg_dump --compress="$method" "$@"
"""
# What a one-off container writes to standard output would otherwise also go to the engine's log, on its disk.
_UNLOGGED = ("run", "--rm", "--log-driver", "none")
# Where the processor is short, customers come first: half of a service's share.
_LOW_PRIORITY = ("--cpu-shares", "512")


def snapshot_session(stack: Stack, program: Path, purpose: str = "Reading one snapshot") -> Command:
    """A psql that is told line by line; a backup holds in it the snapshot that the dump and the digest share."""
    argv = ("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", *where(stack))
    return compose.execute(stack, program, DATABASE, *argv, purpose=purpose, timeout=COPY_TIMEOUT)


def dump(stack: Stack, *, database: str, operation: str, snapshot: str, file: Path | None = None) -> Command:
    """pg_dump in custom format of one snapshot, into a file that is there, else to standard output.

    Through the engine's standard output it takes twice as long. It is asked for its best compression first. It runs
    beside the container `database`, in that one's network and outside its processor limit: compressing must not take
    from the server what customers wait for. The image trusts everybody on the loopback address.
    """
    # Root writes into a file of whoever runs this, and it stays his.
    mount = ("--user", "0", "--volume", f"{file.parent}:/set") if file else ()
    into = (f"--file=/set/{file.name}",) if file else ()
    options = (*beside(stack, database, operation), *mount, "--entrypoint", "sh", stack.images[DATABASE])
    argv = dump_arguments(snapshot, (*into, *where(stack)))
    return docker(*options, *argv, purpose="Dumping the database", timeout=COPY_TIMEOUT)


def dump_arguments(snapshot: str, whose: tuple[str, ...]) -> tuple[str, ...]:
    """What a shell in the database image is told so that it dumps this snapshot; `whose` ends in psql's -U and -d."""
    return ("-c", _DUMP, "sh", "-Fc", f"--snapshot={snapshot}", *whose)


def beside(stack: Stack, database: str, operation: str) -> tuple[str, ...]:
    """The options of a one-off container that reads from the server in the container `database`."""
    network = ("--network", f"container:{database}", "--env", "PGHOST=127.0.0.1")
    who = ("--env", f"PGUSER={stack.settings['POSTGRES_SUPERUSER']}")
    return (*_UNLOGGED, *labels(stack.project, operation), *_LOW_PRIORITY, *network, *who)


def dump_contents(image: str, folder: Path, name: str) -> Command:
    """The dump's own table of contents, read back by pg_restore from the set's folder."""
    argv = (
        "run",
        "--rm",
        "--network",
        "none",
        "--user",
        "0",
        "--volume",
        f"{folder}:/set:ro",
        "--entrypoint",
        "pg_restore",
    )
    return docker(*argv, image, "--list", f"/set/{name}", purpose="Reading the dump's table of contents", timeout=600)


def piped_contents(image: str) -> Command:
    """The same from standard input, of a dump that lies nowhere in clear; it reads no further than it must."""
    argv = (*_UNLOGGED, "-i", "--network", "none", "--entrypoint", "pg_restore", image, "--list")
    return docker(*argv, purpose="Reading the dump's table of contents", timeout=600)


def storage(stack: Stack, *, operation: str, without: tuple[str, ...] = ()) -> Command:
    """The storage volume as a tar on standard output; marks and half-written files of ours are left out.

    So are the files in these places, which travel by standard input: a hundred thousand are no arguments.
    """
    marks = ("--exclude=./.chatwoot*", "--exclude=./.restore*")
    # Taken word for word, tar finds a place by its hash; as patterns each would be tried on each file.
    held = ("--anchored", "--no-wildcards", "--exclude-from=-") if without else ()
    argv = ("--create", "--directory=/volume", *marks, *held, "--file=-", ".")
    options = (*_beside_storage(stack, operation), *(("-i",) if without else ()), "--entrypoint", "tar")
    told = "".join(f"{each}\n" for each in without) if without else None
    return docker(
        *options, stack.images[DATABASE], *argv, purpose="Reading the storage volume", timeout=COPY_TIMEOUT, stdin=told
    )


def archive(stack: Stack, place: str, *, operation: str) -> Command:
    """All of another volume, by its name, or of a folder, by its full path, as a tar; neither can be written to."""
    options = (*_beside_files(stack, place, operation), "--entrypoint", "tar", stack.images[DATABASE])
    marks = ("--exclude=./.chatwoot*", "--exclude=./.restore*")
    argv = ("--create", "--directory=/volume", *marks, "--file=-", ".")
    return docker(*options, *argv, purpose="Reading the stored files", timeout=COPY_TIMEOUT)


def stored_files(stack: Stack, *, operation: str) -> Command:
    """Each stored file as "KEY SIZE MD5", a line each, for which all of it is read."""
    options = (*_beside_storage(stack, operation), "--entrypoint", "sh", stack.images[DATABASE], "-c", LIST)
    return docker(*options, purpose="Reading the stored files", timeout=COPY_TIMEOUT)


def _beside_storage(stack: Stack, operation: str) -> tuple[str, ...]:
    return _beside_files(stack, stack.volumes[RAILS], operation)


def _beside_files(stack: Stack, place: str, operation: str) -> tuple[str, ...]:
    mount = ("--volume", f"{place}:/volume:ro", "--network", "none", "--user", "0")
    return (*_UNLOGGED, *labels(stack.project, operation), *_LOW_PRIORITY, *mount)


def space(stack: Stack, program: Path) -> Command:
    """Bytes of the database, on the server."""
    sql = "SELECT pg_database_size(current_database())"
    argv = ("psql", "-X", "-q", "-t", "-A", *where(stack), "-c", sql)
    return compose.execute(stack, program, DATABASE, *argv, purpose="Measuring the database")
