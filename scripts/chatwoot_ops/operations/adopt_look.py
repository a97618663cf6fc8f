"""Looks at a source and at this machine before a takeover, and says everything that is in its way at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import adoption, docker
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.operations.adopt_server import LOCAL, ServerFacts, image_major, server_facts
from chatwoot_ops.operations.adopt_source import AdoptOptions, Origin
from chatwoot_ops.operations.database import versions_of_image
from chatwoot_ops.operations.preflight import could_ask, preflight
from chatwoot_ops.operations.staging import form_of

# The rehearsed database and the one that serves, and the dumps on the way, next to a copy of a stopped one.
FACTOR = 3
SPARE_BYTES = 1024**3
# Dumps came out at a sixth of the database and more (facts/perf.md).
DUMP_FACTOR = 8


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen; of a running source also what its server holds."""

    checks: tuple[Check, ...]
    facts: ServerFacts | None = None


def look(stack: Stack, host: Host, origin: Origin, asked: AdoptOptions, env: Mapping[str, str]) -> Looked:
    """Every check of source and target. What could not be checked is failed; nothing is touched."""
    facts: list[ServerFacts] = []

    def database(_: Stack, host: Host) -> tuple[Check, ...]:
        if origin.server is None:
            return _dump(origin) if origin.dump else _stopped(stack, host, origin)
        facts.append(server_facts(stack, host, origin.server, asked.database, env))
        return facts[0].checks

    source = could_ask("source database", database, stack, host)
    found = facts[0] if facts else None
    checks = (
        *_at_rest(origin, asked),
        *source,
        *could_ask("release", lambda stack, host: _release(stack, host, found, asked), stack, host),
        *could_ask("stored files", lambda _, host: stored_files(stack, host, origin, found), stack, host),
        *could_ask("room", lambda _, host: _room(stack, host, origin, found), stack, host),
        *_apart(stack, origin),
        *could_ask("this stack", _empty, stack, host),
        *preflight(stack, host),
    )
    return Looked(checks, found)


def _at_rest(origin: Origin, asked: AdoptOptions) -> tuple[Check, ...]:
    if not origin.serving:
        return (passed("source", f"{origin.name}: neither its web nor its worker runs on this machine"),)
    seen = f"{origin.name} serves: {', '.join(origin.serving)}"
    if asked.rehearse:
        return (warned("source", seen, "Well for a rehearsal; for the takeover it has to be stopped"),)
    stop = f"docker stop {' '.join(origin.serving)}"
    remedy = f"What is written from now on would stay behind. Rehearse with --rehearse, then type: {stop}"
    return (failed("source", seen, remedy),)


def _stopped(stack: Stack, host: Host, origin: Origin) -> tuple[Check, ...]:
    lines = host.processes.run(adoption.cluster_in(stack, origin.place)).stdout.splitlines()
    found = dict(line.split("=", 1) for line in lines if "=" in line)
    if "major" not in found:
        return (failed("source database", f"{origin.place} holds no PostgreSQL cluster", "Name the right volume"),)
    major, mine = int(found["major"]), image_major(stack, host)
    name, seen = "source database", f"stopped; PostgreSQL {found['major']} in {origin.place}"
    if major != mine and not origin.database_image:
        remedy = f"Give an image that can start it: --database-image pgvector/pgvector:pg{major}"
        return (failed(name, seen, remedy),)
    if major > mine:
        return (failed(name, seen, "Set POSTGRES_IMAGE in .env to one of that version"),)
    if "running" in found:
        remedy = "Its server was not shut down, or runs outside of Docker: stop it cleanly if you can"
        return (warned(name, seen, remedy),)
    return (passed(name, f"{seen}; what it holds is seen in a copy"),)


def _release(stack: Stack, host: Host, facts: ServerFacts | None, asked: AdoptOptions) -> tuple[Check, ...]:
    """Whether the image can run on the source's schema; an image that is not here yet is asked by the rehearsal."""
    image, name = stack.images[RAILS], "release"
    if facts is None or not facts.database or host.processes.try_run(docker.image_id(image)).code != 0:
        return ()
    known = versions_of_image(stack, host)
    newer, lacking = facts.versions - known, known - facts.versions
    if newer:
        seen = f"the source has {len(newer)} migrations that {image} does not know: it is of a newer release"
        return (failed(name, seen, "Give the image of its release: --image"),)
    if not lacking:
        return (passed(name, f"{image} knows the source's schema, and lacks nothing of it"),)
    seen = f"the source lacks {len(lacking)} migrations of {image}: it is of an older release"
    if asked.migrate:
        return (warned(name, seen, "They run in the rehearsal; the source is not migrated"),)
    return (failed(name, seen, "Give the image of its release (--image), or add --migrate"),)


def _dump(origin: Origin) -> tuple[Check, ...]:
    assert origin.dump is not None  # noqa: S101 - for the type checker
    form = form_of(origin.dump)
    return (passed("source database", f"{origin.dump.name}, a dump in {form} form; what it holds is seen when loaded"),)


def stored_files(stack: Stack, host: Host, origin: Origin, facts: ServerFacts | None) -> tuple[Check, ...]:
    """Whether the stored files are there that the source's rows speak of."""
    name, elsewhere = "stored files", {}
    if facts:
        elsewhere = {service: many for service, many in facts.files.items() if service != LOCAL}
    kept = tuple(
        warned(name, f"{many} are kept at '{service}'", "They stay there; only its settings are taken over")
        for service, many in elsewhere.items()
    )
    if not origin.storage:
        many = facts.files.get(LOCAL, 0) if facts else 0
        if many or facts is None:
            seen = f"{many or 'perhaps some'} are local, and no place of theirs is known"
            remedy = "Name it: --storage-volume VOLUME, or --storage FOLDER or a tar of it"
            return (*kept, failed(name, seen, remedy) if many else warned(name, seen, remedy))
        return (*kept, Check(name, Outcome.NOT_CONFIGURED, "none are local"))
    return (*kept, passed(name, f"{show_size(_size(stack, host, origin.storage))} in {origin.storage}"))


def _size(stack: Stack, host: Host, place: str) -> int:
    if place.startswith("/") and Path(place).is_file():
        return Path(place).stat().st_size
    return int(host.processes.run(adoption.kilobytes_of(stack, place)).stdout.strip()) * 1024


def _room(stack: Stack, host: Host, origin: Origin, facts: ServerFacts | None) -> tuple[Check, ...]:
    files = _size(stack, host, origin.storage) if origin.storage else 0
    database = facts.size if facts else _unseen(stack, host, origin)
    engine = Path(host.processes.run(docker.root_folder()).stdout.strip())
    wanted = {
        "room for volumes": (engine, FACTOR * database + 2 * files + SPARE_BYTES),
        "room for dumps": (stack.state_folder, database // 2 + 2 * files + SPARE_BYTES),
    }
    return tuple(_enough(name, host.machine.free_disk(path), least) for name, (path, least) in wanted.items())


def _unseen(stack: Stack, host: Host, origin: Origin) -> int:
    if origin.dump is None:
        return _size(stack, host, origin.place)
    files = (each for each in origin.dump.iterdir()) if origin.dump.is_dir() else iter((origin.dump,))
    return sum(each.stat().st_size for each in files) * DUMP_FACTOR


def _enough(name: str, there: int, wanted: int) -> Check:
    seen = f"{show_size(there)} free, about {show_size(wanted)} needed"
    return (
        passed(name, seen)
        if there >= wanted
        else failed(name, seen, "docs/runbooks/disk-full.md says how to free some")
    )


def _apart(stack: Stack, origin: Origin) -> tuple[Check, ...]:
    """Two stacks of one name are one to Compose: it would take the source's containers for left-overs of ours."""
    line = "COMPOSE_PROJECT_NAME"
    if stack.project in origin.projects:
        remedy = f"Give this stack another: write {line}=chatwoot-new into {stack.env_file} (mode 0600)"
        return (failed("project name", f"'{stack.project}' is the source's own", remedy),)
    shared = tuple(sorted(set(origin.volumes) & set(stack.volumes.values())))
    if shared:
        remedy = f"Give this stack others: CHATWOOT_DB_VOLUME and the like in {stack.env_file}"
        return (failed("volume names", f"{', '.join(shared)}: the source's own", remedy),)
    return (passed("names", "project and volumes are not the source's"),)


def _empty(stack: Stack, host: Host) -> tuple[Check, ...]:
    found = [name for name in stack.volumes.values() if host.processes.try_run(docker.volume(name)).code == 0]
    if stack.settings["CHATWOOT_INSTANCE_ID"]:
        give_up = "to give its data up: 'invoke backup', then 'invoke down --volumes'"
        remedy = f"Take over with another CHATWOOT_ENV_FILE; or, {give_up}"
        return (failed("this stack", "is set up already and may hold data", remedy),)
    if found:
        remedy = f"Name others in {stack.env_file} (CHATWOOT_DB_VOLUME and the like), or remove them: docker volume rm"
        return (failed("this stack", f"its volumes are there already: {', '.join(found)}", remedy),)
    return (passed("this stack", "is not set up; its volumes are made anew"),)
