"""What is run beside a Chatwoot that is taken over. Nothing here can write to it: mounts are read-only, SQL is too."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatwoot_ops.commands.backup import dump_arguments
from chatwoot_ops.commands.docker import PROJECT_LABEL, docker, labels
from chatwoot_ops.model.command import COPY_TIMEOUT, Command
from chatwoot_ops.model.stack import DATABASE, Stack

COPY = "/var/lib/postgresql/data"
# The password travels in the client's environment; the loopback address of the official image asks for none.
_LOOK = ("--env", "PGHOST=127.0.0.1", "--env", "PGPASSWORD", "--env", "PGOPTIONS=-c default_transaction_read_only=on")


@dataclass(frozen=True, slots=True)
class Server:
    """A PostgreSQL that runs in a container, and how to sign in to it."""

    container: str
    superuser: str
    password: str = field(default="", repr=False)


def ask(stack: Stack, server: Server, operation: str, database: str, sql: str) -> Command:
    """SQL from standard input, in a container of ours in the server's network; bare values on standard output."""
    argv = (*_psql(stack, server, operation), "-d", database)
    return _with_password(docker(*argv, purpose="Asking the source's database", stdin=sql, timeout=600), server)


def session(stack: Stack, server: Server, operation: str, database: str) -> Command:
    """The same, told line by line: it holds the snapshot that dump and digest share."""
    argv = (*_psql(stack, server, operation), "-d", database)
    return _with_password(docker(*argv, purpose="Reading one snapshot of the source", timeout=COPY_TIMEOUT), server)


def dump(stack: Stack, server: Server, operation: str, database: str, snapshot: str) -> Command:
    """pg_dump of our own image in custom format, to standard output."""
    whose = ("-U", server.superuser, "-d", database)
    argv = (*_beside(stack, server, operation, "sh"), *dump_arguments(snapshot, whose))
    return _with_password(docker(*argv, purpose="Dumping the source's database", timeout=COPY_TIMEOUT), server)


def _psql(stack: Stack, server: Server, operation: str) -> tuple[str, ...]:
    return (
        *_beside(stack, server, operation, "psql"), "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1",
        "-U", server.superuser,
    )  # fmt: skip


def _beside(stack: Stack, server: Server, operation: str, program: str) -> tuple[str, ...]:
    where = ("--network", f"container:{server.container}", *_LOOK, "--env", f"PGUSER={server.superuser}")
    options = ("run", "--rm", "-i", "--log-driver", "none", *labels(stack.project, operation), *where)
    return (*options, "--entrypoint", program, stack.images[DATABASE])


def _with_password(command: Command, server: Server) -> Command:
    return Command(
        command.argv,
        command.purpose,
        environment={"PGPASSWORD": server.password},
        stdin=command.stdin,
        timeout=command.timeout,
    )


_CLUSTER = """
cd /volume && for file in $(find . -maxdepth 4 -name pg_control -path '*/global/pg_control'); do
  cluster=${file%/global/pg_control}; [ -s "$cluster/PG_VERSION" ] || continue
  echo "cluster=$cluster"; echo "major=$(cat "$cluster/PG_VERSION")"
  [ ! -e "$cluster/postmaster.pid" ] || echo "running=yes"
done
"""


def cluster_in(stack: Stack, place: str) -> Command:
    """Where in a volume or folder a cluster lies, its major version, and whether a server holds it."""
    return _looking(stack, place, _CLUSTER)


def kilobytes_of(stack: Stack, place: str) -> Command:
    """The size of a volume or folder."""
    return _looking(stack, place, "du -sk /volume | cut -f1")


def _looking(stack: Stack, place: str, script: str) -> Command:
    mount = ("--network", "none", "--user", "0", "--volume", f"{place}:/volume:ro")
    argv = ("run", "--rm", *mount, "--entrypoint", "sh", stack.images[DATABASE], "-c", script)
    return docker(*argv, purpose=f"Looking into {place}", timeout=600)


def copy_name(stack: Stack, operation: str) -> str:
    """The name of the throwaway copy of a database volume, and of the container that serves it."""
    return f"{stack.project}-adopt-{operation}"


def make_copy_volume(stack: Stack, operation: str) -> Command:
    """The volume for the copy, labelled as the project's."""
    name = copy_name(stack, operation)
    label = ("--label", f"{PROJECT_LABEL}={stack.project}")
    return docker("volume", "create", *label, name, purpose=f"Creating the volume {name}")


def copy(stack: Stack, place: str, operation: str) -> Command:
    """Copies a stopped database's files; shares blocks where the filesystem can."""
    script = "cp -a --reflink=auto /source/. /copy/ && find /copy -name postmaster.pid -delete && sync"
    mounts = ("--volume", f"{place}:/source:ro", "--volume", f"{copy_name(stack, operation)}:/copy")
    options = ("run", "--rm", *labels(stack.project, operation), "--network", "none", "--user", "0", *mounts)
    argv = (*options, "--entrypoint", "sh", stack.images[DATABASE], "-c", script)
    return docker(*argv, purpose="Copying the source's database files", timeout=COPY_TIMEOUT)


# Rules of our own, because the source's may ask for a password that nobody has; nothing of the copy is archived.
_SERVE = """
echo 'host all all 127.0.0.1/32 trust' > /tmp/adopt_hba.conf && chmod 644 /tmp/adopt_hba.conf
exec docker-entrypoint.sh postgres -c hba_file=/tmp/adopt_hba.conf -c listen_addresses=127.0.0.1 -c archive_mode=off \\
  -c ssl=off -c port=5432 -c synchronous_standby_names=
"""


def serve_copy(stack: Stack, image: str, cluster: str, operation: str) -> Command:
    """Starts the source's own image on the copy; it has no network, and is asked from a container beside it."""
    name = copy_name(stack, operation)
    options = ("run", "-d", "--name", name, *labels(stack.project, operation), "--network", "none")
    where = ("--volume", f"{name}:{COPY}", "--env", f"PGDATA={COPY}/{cluster}".rstrip("/."))
    return docker(*options, *where, "--entrypoint", "sh", image, "-c", _SERVE, purpose="Starting a copy of the source")


def last_words(container: str) -> Command:
    """What the copy's server said last."""
    return docker("logs", "--tail", "12", container, purpose="Reading why it did not start")


def drop_copy(stack: Stack, operation: str) -> tuple[Command, ...]:
    """Ends the copy's server and removes the copy."""
    name = copy_name(stack, operation)
    return (
        docker("rm", "--force", name, purpose="Ending the copy of the source"),
        docker("volume", "rm", "--force", name, purpose="Removing the copy of the source", timeout=120),
    )


def volumes_of_project(project: str) -> Command:
    """Each volume with the project's label, a line each: its own name, then what the compose file calls it."""
    shown = '{{.Name}} {{.Label "com.docker.compose.volume"}}'
    argv = ("volume", "ls", "--filter", f"label={PROJECT_LABEL}={project}", "--format", shown)
    return docker(*argv, purpose="Listing the source's volumes")


def containers_with(place: str) -> Command:
    """Ids of all containers that have a volume or folder mounted, running or not."""
    return docker("ps", "-aq", "--filter", f"volume={place}", purpose=f"Looking who uses {place}")
