"""Reads a source: one snapshot of its database as a dump, then its stored files. The source is never written to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.partial_set import PartialSet
from chatwoot_ops.commands import adoption, backup
from chatwoot_ops.commands.adoption import Server
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, STORAGE_ARTIFACT
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations.adopt_look import stored_files
from chatwoot_ops.operations.adopt_server import image_major, server_facts
from chatwoot_ops.operations.adopt_source import AdoptOptions, Origin
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.digests import COUNTED, DIGEST
from chatwoot_ops.operations.dumping import dump_snapshot, stream_dump
from chatwoot_ops.operations.preflight import require
from chatwoot_ops.operations.source import Source

# A server that was not shut down cleanly replays its log first, in the copy.
START_TIMEOUT_SECONDS = 1800
_GONE = ("is not running", "non running container", "No such container")
_LAST_LINES = 12


def fetch(  # noqa: PLR0917 - one story, told once
    stack: Stack, host: Host, change: Change, origin: Origin, asked: AdoptOptions, env: Mapping[str, str], work: Path
) -> Source:
    """The source as files that can be loaded, in the private folder `work`; a dump that was given stays where it is.

    Raises PreflightFailedError for a stopped source whose copy shows what cannot be taken over, CommandFailedError.
    """
    partial = PartialSet(work, origin.name, 1, [])
    if origin.dump is not None:
        found = Source(origin.name, origin.dump, as_found=True)
    else:
        found = _dumped(stack, host, change, origin, asked, env, partial)
    if not origin.storage or origin.archive:
        return replace(found, storage=origin.archive)
    change.step("copy-storage", "Reading the stored files")
    with partial.artifact(STORAGE_ARTIFACT) as file:
        command = backup.archive(stack, origin.storage, operation=change.opening.id)
        host.processes.save_output(command, file.write)
    return replace(found, storage=work / STORAGE_ARTIFACT)


def _dumped(  # noqa: PLR0917 - as above
    stack: Stack,
    host: Host,
    change: Change,
    origin: Origin,
    asked: AdoptOptions,
    env: Mapping[str, str],
    partial: PartialSet,
) -> Source:
    operation = change.opening.id
    with _running(stack, host, change, origin) as server:
        facts = server_facts(stack, host, server, asked.database, env)
        require((*facts.checks, *stored_files(stack, host, origin, facts)))
        change.step("dump-database", "Dumping the source's database")

        def write(snapshot: str) -> None:
            stream_dump(host, partial, adoption.dump(stack, server, operation, facts.database, snapshot))

        question = DIGEST if facts.major == image_major(stack, host) else COUNTED
        asking = adoption.session(stack, server, operation, facts.database)
        data, _ = dump_snapshot(host, asking, write, question)
    return Source(origin.name, partial.folder / DATABASE_ARTIFACT, promised=data, as_found=True)


@contextmanager
def _running(stack: Stack, host: Host, change: Change, origin: Origin) -> Iterator[Server]:
    """The source's own server where it runs, else one on a throwaway copy of its files."""
    if origin.server is not None:
        yield origin.server
        return
    operation = change.opening.id
    change.step("copy-database", "Copying the stopped database's files", copy=operation)
    try:
        yield _copied(stack, host, origin, operation)
    finally:
        drop_copy(stack, host, operation)


def _copied(stack: Stack, host: Host, origin: Origin, operation: str) -> Server:
    lines = host.processes.run(adoption.cluster_in(stack, origin.place)).stdout.splitlines()
    cluster = dict(line.split("=", 1) for line in lines if "=" in line)["cluster"]
    host.processes.run(adoption.make_copy_volume(stack, operation))
    host.processes.run(adoption.copy(stack, origin.place, operation))
    image = origin.database_image or stack.images[DATABASE]
    host.processes.run(adoption.serve_copy(stack, image, cluster, operation))
    server = Server(adoption.copy_name(stack, operation), origin.superuser)
    _wait(stack, host, server, operation)
    return server


def _wait(stack: Stack, host: Host, server: Server, operation: str) -> None:
    answers: list[bool] = []

    def decided() -> bool:
        tried = host.processes.try_run(adoption.ask(stack, server, operation, "postgres", "SELECT 1;"))
        answers.append(tried.code == 0)
        return answers[-1] or any(words in tried.stderr for words in _GONE)

    host.clock.wait_until(decided, timeout=START_TIMEOUT_SECONDS, interval=0.5)
    if not answers[-1]:
        said = host.processes.try_run(adoption.last_words(server.container))
        lines = host.processes.mask(f"{said.stdout}{said.stderr}").splitlines()
        remedy = "Give the image that the source ran with: --database-image. Nothing of the source was changed."
        text = "A copy of the source's database did not start"
        raise CommandFailedError(text, details=tuple(lines[-_LAST_LINES:]), remedy=remedy)


def drop_copy(stack: Stack, host: Host, operation: str) -> None:
    """Removes the throwaway copy; that it is gone already is no error."""
    for command in adoption.drop_copy(stack, operation):
        host.processes.try_run(command)
