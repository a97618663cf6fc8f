"""Finds a Chatwoot that is to be taken over: its database, its stored files, its image, and whether it serves."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import adoption, docker
from chatwoot_ops.commands.adoption import Server
from chatwoot_ops.errors import PreflightFailedError, SettingsInvalidError

_DATABASE, _STORAGE = "/var/lib/postgresql", "/app/storage"
_PROGRAMS = ("sidekiq", "rails s", "rails server")
_SUPERUSER = "postgres"
_NOTHING = "Nothing was changed, here or there."


@dataclass(frozen=True, slots=True)
class AdoptOptions:
    """What an operator says of the source and of the takeover."""

    from_project: str = ""
    database_volume: str = ""
    storage_volume: str = ""
    database_image: str = ""
    database: str = ""
    dump: str = ""
    storage: str = ""
    env: str = ""
    image: str = ""
    migrate: bool = False
    rehearse: bool = False
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Origin:
    """The source as found: a running `server`, else the `place` (volume or folder) of a stopped one, else a dump.

    `storage` is a volume, or the full path of a folder or of a tar. `programs` are names of the containers of its web
    and worker, `serving` of those that run.
    """

    name: str
    server: Server | None = None
    place: str = ""
    database_image: str = ""
    superuser: str = _SUPERUSER
    dump: Path | None = None
    storage: str = ""
    image: str = ""
    serving: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    projects: frozenset[str] = frozenset()

    @property
    def archive(self) -> Path | None:
        """The storage where it is a tar already."""
        path = Path(self.storage)
        return path if self.storage.startswith("/") and path.is_file() else None


def with_full_paths(asked: AdoptOptions) -> AdoptOptions:
    """The same from wherever a recovery is typed."""
    given = (asked.dump, asked.storage, asked.env)
    dump, storage, env = (str(Path(path).resolve()) if path else "" for path in given)
    return replace(asked, dump=dump, storage=storage, env=env)


def refuse_unclear(asked: AdoptOptions) -> None:
    """Raises SettingsInvalidError with everything that the flags lack or that contradicts itself."""
    installed = bool(asked.from_project or asked.database_volume)
    problems = []
    if installed == bool(asked.dump):
        problems.append("name one source: --from-project or --database-volume, or else --dump")
    if not asked.env:
        problems.append("--env FILE: the source's .env is needed, its keys open the encrypted rows")
    named = {"--env": asked.env, "--dump": asked.dump, "--storage": asked.storage}
    problems += [f"{flag}: there is no {path}" for flag, path in named.items() if path and not Path(path).exists()]
    if asked.storage and asked.storage_volume:
        problems.append("name the stored files once: --storage or --storage-volume")
    if problems:
        raise SettingsInvalidError("It is not clear what is to be taken over", details=tuple(problems), remedy=_NOTHING)


def find_origin(host: Host, asked: AdoptOptions, env: Mapping[str, str]) -> Origin:
    """The source that the flags name; only looked at.

    Raises PreflightFailedError where there is none of that name, CommandFailedError where the engine does not answer.
    """
    storage = str(Path(asked.storage).resolve()) if asked.storage else asked.storage_volume
    if asked.dump:
        dump = Path(asked.dump).resolve()
        return Origin(dump.name, dump=dump, storage=storage, image=asked.image)
    return _installed(host, asked, env, storage)


def _installed(host: Host, asked: AdoptOptions, env: Mapping[str, str], storage: str) -> Origin:
    described = _containers(host, asked)
    volumes = _volumes(host, asked)
    server = next((each for each in described if _mounted(each, _DATABASE)), None)
    web = next((each for each in described if _mounted(each, _STORAGE)), None)
    place = asked.database_volume or (_mounted(server, _DATABASE) if server else volumes.get("postgres", ""))
    if not place:
        text = f"There is no database of a project '{asked.from_project}' on this machine"
        remedy = f"'docker volume ls' shows the volumes; name them: --database-volume and --storage-volume. {_NOTHING}"
        raise PreflightFailedError(text, remedy=remedy)
    variables = _variables(server) if server else {}
    superuser = variables.get("POSTGRES_USER") or (env.get("POSTGRES_USERNAME") if not server else "") or _SUPERUSER
    password = variables.get("POSTGRES_PASSWORD") or env.get("POSTGRES_PASSWORD", "")
    return Origin(
        asked.from_project or place,
        server=Server(str(server["Id"]), superuser, password) if server and _runs(server) else None,
        place=place,
        database_image=asked.database_image or (str(server["Config"]["Image"]) if server else ""),
        superuser=superuser,
        storage=storage or (_mounted(web, _STORAGE) if web else volumes.get("storage", "")),
        image=asked.image or (str(web["Config"]["Image"]) if web else ""),
        serving=_names(each for each in described if _runs(each) and _is_chatwoot(each)),
        programs=_names(filter(_is_chatwoot, described)),
        volumes=tuple(filter(None, (place, *volumes.values()))),
        projects=frozenset(filter(None, (asked.from_project, *map(_project, described)))),
    )


def _containers(host: Host, asked: AdoptOptions) -> list[dict[str, Any]]:
    project = docker.containers_of(asked.from_project) if asked.from_project else None
    command = project or adoption.containers_with(asked.database_volume)
    ids = host.processes.run(command).stdout.split()
    if not ids:
        return []
    described: list[dict[str, Any]] = json.loads(host.processes.run(docker.inspect_containers(*ids)).stdout)
    # Of several with the same volume the one that runs says more.
    return sorted((each for each in described if _label(each, "oneoff") != "True"), key=lambda each: not _runs(each))


def _label(described: dict[str, Any], name: str) -> str:
    return str((described["Config"].get("Labels") or {}).get(f"com.docker.compose.{name}", ""))


def _project(described: dict[str, Any]) -> str:
    return _label(described, "project")


def _volumes(host: Host, asked: AdoptOptions) -> dict[str, str]:
    """The project's volumes by what they hold, where no container is left to say it."""
    if not asked.from_project:
        return {}
    lines = host.processes.run(adoption.volumes_of_project(asked.from_project)).stdout.splitlines()
    named = [(called or name, name) for name, _, called in (line.partition(" ") for line in lines)]
    return {part: name for part in ("storage", "redis", "postgres") for called, name in named if part in called}


def _mounted(described: dict[str, Any], folder: str) -> str:
    found = [each for each in described.get("Mounts") or [] if str(each["Destination"]).startswith(folder)]
    return str(found[0].get("Name") or found[0]["Source"]) if found else ""


def _names(described: Iterable[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(sorted(str(each["Name"]).strip("/") for each in described))


def _variables(described: dict[str, Any]) -> dict[str, str]:
    lines = described["Config"].get("Env") or []
    return {name: value for name, _, value in (str(line).partition("=") for line in lines)}


def _runs(described: dict[str, Any]) -> bool:
    return str(described["State"]["Status"]) in {"running", "restarting", "paused"}


def _is_chatwoot(described: dict[str, Any]) -> bool:
    words = " ".join(map(str, described["Config"].get("Cmd") or []))
    return any(program in words for program in _PROGRAMS)
