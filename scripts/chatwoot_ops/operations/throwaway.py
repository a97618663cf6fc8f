"""A stack that exists for a while only: own project, ports, volumes and network, and nothing left behind."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from chatwoot_ops.adapters.env_file import with_values
from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import hold_lock, is_held, lock_path
from chatwoot_ops.commands import docker
from chatwoot_ops.commands.docker import PROJECT_LABEL
from chatwoot_ops.operations.changing import terminable
from chatwoot_ops.operations.opening import Place

PREFIXES = {"rehearse": "chatwoot-rehearsal-", "drill": "chatwoot-drill-", "adopt": "chatwoot-adopt-"}
_PROJECT = re.compile(rf"({'|'.join(PREFIXES.values())})[0-9a-f]{{8}}")


@dataclass(frozen=True, slots=True)
class Throwaway:
    """Where a throwaway stack's files lie and what its project is called."""

    place: Place
    project: str


@contextmanager
def throwaway(
    repository_place: Place, host: Host, values: Mapping[str, str], *, operation: str = "rehearse", text: str = ""
) -> Iterator[Throwaway]:
    """A throwaway stack's place, ready for set-up; everything of it is removed at the end, however it ends.

    Its settings are `text`, else the example, with these values. What a killed run left behind is removed first.
    """
    sweep(host)
    project = f"{PREFIXES[operation]}{uuid4().hex[:8]}"
    since, user = host.clock.stamp(), host.machine.user()
    with hold_lock(f"{project}.run", operation=operation, user=user, since=since), terminable():
        folder = Path(tempfile.mkdtemp(prefix=f"{project}."))
        try:
            place = Place(repository_place.compose_folder, folder / ".env")
            given = text or place.example.read_text(encoding="utf-8")
            write_atomically(place.env_file, with_values(given, {**_values(project, host), **values}))
            yield Throwaway(place, project)
        finally:
            host.reporter.step("Removing the throwaway stack")
            remove_project(project, host)
            shutil.rmtree(folder, ignore_errors=True)


def _values(project: str, host: Host) -> dict[str, str]:
    port = host.machine.free_port()
    return {
        "COMPOSE_PROJECT_NAME": project,
        "CHATWOOT_PORT": str(port),
        "POSTGRES_HOST_PORT": str(host.machine.free_port()),
        "REDIS_HOST_PORT": str(host.machine.free_port()),
        "FRONTEND_URL": f"http://127.0.0.1:{port}",
        "CHATWOOT_NETWORK": f"{project}-shared",
        "CHATWOOT_DB_VOLUME": f"{project}-db-data",
        "CHATWOOT_REDIS_VOLUME": f"{project}-redis-data",
        "CHATWOOT_STORAGE_VOLUME": f"{project}-storage",
        "CHATWOOT_WAL_VOLUME": f"{project}-wal",
        # Settings may come from a stack that archives into a folder: nothing may be written there.
        "WAL_ARCHIVE": "off",
        "CHATWOOT_ADMIN_EMAIL": "rehearsal@kgc.example",
        "CHATWOOT_ADMIN_COMPANY": "Rehearsal",
    }


def sweep(host: Host) -> tuple[str, ...]:
    """Removes throwaway stacks whose process is gone; returns their projects. A running one holds its lock."""
    dead = tuple(project for project in _projects(host) if not is_held(f"{project}.run"))
    for project in dead:
        host.reporter.note(f"Removing what an earlier run left behind: {project}")
        remove_project(project, host)
        for folder in Path(tempfile.gettempdir()).glob(f"{project}.*"):
            shutil.rmtree(folder, ignore_errors=True)
    return dead


def _projects(host: Host) -> set[str]:
    """Every throwaway project of which a container, a volume, a network or a folder is there."""
    label = f'{{{{.Label "{PROJECT_LABEL}"}}}}'
    containers = docker.docker("ps", "-a", "--format", label, purpose="Looking for left-over containers")
    volumes = docker.docker("volume", "ls", "--format", label, purpose="Looking for left-over volumes")
    networks = docker.docker("network", "ls", "--format", "{{.Name}}", purpose="Looking for left-over networks")
    names = " ".join(host.processes.run(command).stdout for command in (containers, volumes, networks)).split()
    # A folder alone counts: a drill's holds secrets.
    names += [path.name for path in Path(tempfile.gettempdir()).glob("chatwoot-*")]
    return {found[0] for name in names if (found := _PROJECT.match(name))}


def remove_project(project: str, host: Host) -> None:
    """Removes all containers, volumes and networks of a throwaway project; what is already gone is no error."""
    containers = host.processes.try_run(docker.containers_of(project)).stdout.split()
    if containers:
        host.processes.try_run(docker.remove_containers(*containers))
    volumes = host.processes.try_run(docker.volumes_of(project)).stdout.split()
    if volumes:
        host.processes.try_run(docker.remove_volumes(*volumes))
    for network in (f"{project}_stack", f"{project}-shared"):
        host.processes.try_run(docker.remove_network(network))
    for name in (project, f"{project}.run"):
        lock_path(name).unlink(missing_ok=True)
