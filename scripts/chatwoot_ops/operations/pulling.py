"""Fetches a set from off-site: under a temporary name, every checksum compared, resumable artifact by artifact."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.env_file import EnvFile
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.pulled_set import PulledSet
from chatwoot_ops.adapters.set_notes import mark_off_site, off_site_note
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError, PreflightFailedError, SettingsInvalidError
from chatwoot_ops.model.backup_set import MANIFEST, Artifact, BackupSet, Manifest
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.remote import REMOTE_SETTINGS
from chatwoot_ops.model.settings import remote_problems
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.opening import Place, open_with, unchecked_stack
from chatwoot_ops.operations.remote import Bucket, find_remote, open_bucket, with_remote
from chatwoot_ops.operations.restore_settings import Given, given_settings, read_text_values

SPARE_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Pulled:
    """A set that is here now, with the bytes that had to be fetched for it."""

    set: BackupSet
    fetched: int
    seconds: float


def open_for_pull(place: Place, host: Host, settings: str = "") -> Stack:
    """The stack, or what a machine that has none knows of the remote: from a settings file, else the environment.

    Raises SettingsInvalidError with every problem of these settings.
    """
    given = host.machine.variables(REMOTE_SETTINGS)
    if settings:
        given |= read_text_values(given_settings(Given(settings=settings), Path()))
    if place.env_file.exists():
        stack = with_remote(open_with(place, host), {key: given[key] for key in REMOTE_SETTINGS if key in given})
    else:
        stack = unchecked_stack(place, EnvFile(place.env_file, "", given, (), 0))
    host.processes.secrets = (*host.processes.secrets, *stack.settings.secrets().values())
    problems = remote_problems(stack.settings)
    if problems:
        remedy = "Correct them where they come from: .env, the file of --settings, or the environment."
        raise SettingsInvalidError("The settings for the remote cannot work", details=problems, remedy=remedy)
    return stack


def pull(
    place: Place, host: Host, name: str = "latest", settings: str = "", *, resume: Journal | None = None
) -> Pulled:
    """Fetches a set into the folder of the backup sets; needs no stack, only the settings of the remote.

    Raises BackupSetInvalidError when there is no such set, it is damaged, or another one of its name is here;
    PreflightFailedError when there is no room; CommandFailedError when the remote does not answer: what arrived
    stays, and the next attempt goes on from there.
    """
    stack = open_for_pull(place, host, settings)
    bucket = open_bucket(stack, host)
    options = {"set": name, "settings": settings}
    with changing(stack, host, "pull", options, resume=resume) as change, host.timed() as spent:
        change.step("find", f"Looking for the set at {bucket.remote.url}")
        instance, found = find_remote(bucket, stack.settings["CHATWOOT_INSTANCE_ID"], name)
        manifest, text = bucket.manifest_as_written(instance, found)
        path, fetched = _present(stack, manifest, text) or _fetch(stack, host, bucket, manifest, text, change)
    return Pulled(store_of(stack).find(str(path)), fetched, round(spent[0], 1))


def _present(stack: Stack, manifest: Manifest, written: str) -> tuple[Path, int] | None:
    path = stack.backup_folder / manifest.name
    if not path.exists():
        return None
    mine = (path / MANIFEST).read_text(encoding="utf-8", errors="replace") if (path / MANIFEST).is_file() else ""
    if mine == written:
        return path, 0
    text = f"Another set of the name {manifest.name} is in {stack.backup_folder} already"
    raise BackupSetInvalidError(text, remedy="Move it elsewhere, then run this again. Nothing was changed.")


def _fetch(  # noqa: PLR0917 - one story, told once
    stack: Stack, host: Host, bucket: Bucket, manifest: Manifest, written: str, change: Change
) -> tuple[Path, int]:
    pulled = PulledSet(stack.backup_folder, manifest.name)
    missing = [each for each in manifest.artifacts if not pulled.has(each)]
    size = sum(each.size for each in missing)
    require_room(host, stack.backup_folder, size)
    change.step("fetch", f"Fetching {show_size(size)} from {bucket.remote.url}", partial=manifest.name)
    try:
        pulled.begin()
        fetch_artifacts(host, bucket, manifest, pulled, missing)
        change.step("seal", "Sealing the set")
        path = pulled.seal(written)
    except OSError as error:
        remedy = "Free some room or set BACKUP_FOLDER; what arrived stays, run this again."
        text = f"Cannot write the set to {stack.backup_folder}: {error.strerror}"
        raise CommandFailedError(text, remedy=remedy) from error
    where = f"{bucket.remote.url}/{manifest.instance}/{manifest.name}"
    mark_off_site(store_of(stack).find(str(path)), off_site_note(host.clock.stamp(), where))
    return path, size


def require_room(host: Host, folder: Path, size: int) -> None:
    """Raises PreflightFailedError unless so many bytes of a set can be written to this folder, and some more."""
    free = host.machine.free_disk(folder)
    if free < size + SPARE_BYTES:
        text = f"{show_size(free)} free in {folder}, the set needs {show_size(size + SPARE_BYTES)}"
        raise PreflightFailedError(
            "There is no room for the set", details=(text,), remedy="Free some, or set BACKUP_FOLDER."
        )


def fetch_artifacts(
    host: Host, bucket: Bucket, manifest: Manifest, pulled: PulledSet, missing: Iterable[Artifact]
) -> None:
    """Fetches these artifacts of a set, each compared with its manifest.

    Raises BackupSetInvalidError naming what is damaged at the remote, which is not kept here.
    """
    folder, problems = bucket.remote.folder(manifest.instance, manifest.name), []
    for each in missing:
        host.reporter.step(f"Fetching {each.name} ({show_size(each.size)})")
        problems.append(pulled.write(each, bucket.store.read(f"{folder}/{each.name}")))
    if any(problems):
        remedy = "Take another set ('invoke backups --remote'). Where it still is, 'invoke push' sends it again."
        text = f"The copy of {manifest.name} at the remote is damaged"
        raise BackupSetInvalidError(text, details=tuple(filter(None, problems)), remedy=remedy)


def settings_of_data(settings: str) -> str:
    """The settings file again where it holds those that data was made with, "" where it only leads to the remote."""
    given = read_text_values(given_settings(Given(settings=settings), Path())) if settings else {}
    return settings if given.get("SECRET_KEY_BASE") else ""


def finish_pull(place: Place, _: Stack, host: Host, journal: Journal) -> None:
    """Fetches what is still missing of a pull that was cut off."""
    options = journal.opening.options
    pull(place, host, str(options.get("set", "latest")), str(options.get("settings", "")), resume=journal)


def undo_pull(_: Place, stack: Stack, host: Host, journal: Journal) -> None:
    """Removes what a pull that was cut off had fetched."""
    with changing(stack, host, "undo-pull", resume=journal) as change:
        change.step("drop-partial", "Removing the set that was not fetched whole")
        store_of(stack).drop_partials()
