"""The off-site copies: where they are, which settings lead there, what is there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError, SettingsInvalidError
from chatwoot_ops.model.backup_set import MANIFEST, Manifest
from chatwoot_ops.model.manifest import parse_manifest
from chatwoot_ops.model.remote import CLAIM, OFF_SITE, Remote, RemoteObjects, grouped, remote_of
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup_sets import hours_since

if TYPE_CHECKING:
    # It loads the library for S3, which tasks that stay here need not wait for.
    from chatwoot_ops.adapters.remote_store import RemoteStore


@dataclass(frozen=True, slots=True)
class RemoteSet:
    """A set at the remote, with the time it was read back ("" for never) and its size in bytes."""

    manifest: Manifest
    off_site: str
    size: int
    age: float


@dataclass(frozen=True, slots=True)
class RemoteBackups:
    """The sets at the remote, oldest first, and the folders there that are no set or cannot be read as one."""

    remote: str
    sets: tuple[RemoteSet, ...]
    unfinished: tuple[str, ...]
    damaged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bucket:
    """The remote of the settings, opened."""

    remote: Remote
    store: RemoteStore

    def groups(self) -> tuple[RemoteObjects, ...]:
        """What lies below the prefix, by instance and set."""
        return grouped(self.remote.folder(), self.store.sizes(self.remote.folder()))

    def groups_of(self, instance: str) -> tuple[RemoteObjects, ...]:
        """The same of one installation."""
        return grouped(self.remote.folder(), self.store.sizes(self.remote.folder(instance)))

    def remove_copy(self, instance: str, name: str) -> None:
        """Removes a set's copy, the manifest first: cut off in between, what is left is no set.

        Raises CommandFailedError where the server says that it removed the manifest and has it still.
        """
        folder = self.remote.folder(instance, name)
        self.store.remove((f"{folder}/{MANIFEST}", f"{folder}/{OFF_SITE}"))
        left = self.store.sizes(folder)
        if f"{folder}/{MANIFEST}" in left:
            remedy = "Nothing else of it was removed. Look at the bucket's rules: it may keep what is removed."
            raise CommandFailedError(f"The copy of {name} is there although the server removed it", remedy=remedy)
        self.store.remove((*(each for each in left if each != f"{folder}/{CLAIM}"), f"{folder}/{CLAIM}"))

    def manifest_text(self, instance: str, name: str) -> str:
        """The manifest of a set as it was written, "" where there is none."""
        return self.store.text(f"{self.remote.folder(instance, name)}/{MANIFEST}") or ""

    def manifest(self, instance: str, name: str) -> Manifest:
        """The manifest of a set.

        Raises BackupSetInvalidError where it is absent, damaged, or names another set than the one it lies with.
        """
        return self.manifest_as_written(instance, name)[0]

    def manifest_as_written(self, instance: str, name: str) -> tuple[Manifest, str]:
        """The same with its text, of one reading: another one may bring something else."""
        text = self.manifest_text(instance, name)
        found = parse_manifest(text)
        if (found.instance, found.name) != (instance, name):
            raise BackupSetInvalidError(f"The manifest of {name} at the remote is that of {found.name}")
        return found, text


def open_bucket(stack: Stack, host: Host, *, quick: bool = False) -> Bucket:
    """The bucket that the settings name; with `quick` one that is given up within seconds when it does not answer.

    Raises SettingsInvalidError where they name none.
    """
    remote = remote_of(stack.settings.values)
    if remote is None:
        remedy = "Set BACKUP_REMOTE and its credentials: docs/how-to/off-site.md. Nothing was changed."
        raise SettingsInvalidError("No place for off-site copies is set", remedy=remedy)
    return Bucket(remote, host.remotes.open(remote, quick=quick))


def list_remote(stack: Stack, host: Host) -> RemoteBackups:
    """What there is at the remote, of every installation that keeps its sets there."""
    bucket = open_bucket(stack, host)
    host.reporter.step(f"Listing {bucket.remote.url}")
    sets, damaged, unfinished = [], [], []
    for group in bucket.groups():
        if not group.whole:
            unfinished.append(f"{group.instance}/{group.name}")
            continue
        try:
            sets.append(_remote_set(bucket, host, group))
        except (BackupSetInvalidError, ValueError) as error:
            damaged.append(f"{group.instance}/{group.name}: {error}")
    oldest_first = sorted(sets, key=lambda each: (each.manifest.instance, each.manifest.sequence))
    return RemoteBackups(bucket.remote.url, tuple(oldest_first), tuple(unfinished), tuple(damaged))


def _remote_set(bucket: Bucket, host: Host, group: RemoteObjects) -> RemoteSet:
    manifest = bucket.manifest(group.instance, group.name)
    note = bucket.store.text(f"{bucket.remote.folder(group.instance, group.name)}/{OFF_SITE}")
    return RemoteSet(manifest, _time(note), sum(group.sizes.values()), hours_since(manifest.created, host))


def _time(note: str | None) -> str:
    try:
        return str(json.loads(note or "")["at"])
    except (ValueError, KeyError, TypeError):
        return ""


def find_remote(bucket: Bucket, instance: str, name: str) -> tuple[str, str]:
    """Instance and name of the set that is meant: by name, as INSTANCE/NAME, or the newest for "latest".

    `instance` may be empty: then it must be clear whose set is meant. Raises BackupSetInvalidError.
    """
    wanted_instance, _, wanted = name.rpartition("/")
    wanted_instance = wanted_instance or instance
    there = [each for each in bucket.groups() if each.whole]
    mine = [each for each in there if wanted_instance in {"", each.instance}]
    chosen = mine if wanted == "latest" else [each for each in mine if each.name == wanted]
    owners = sorted({each.instance for each in chosen})
    if not chosen:
        known = ", ".join(f"{each.instance}/{each.name}" for each in there[-20:]) or "none"
        text = f"There is no set {name} at {bucket.remote.url}"
        raise BackupSetInvalidError(text, remedy=f"Sets that there are: {known}.")
    if len(owners) > 1:
        text = f"Sets of {len(owners)} installations are at {bucket.remote.url}"
        raise BackupSetInvalidError(text, details=tuple(owners), remedy=f"Say which: --set INSTALLATION/{wanted}")
    if wanted != "latest":
        return owners[0], wanted
    return owners[0], _newest(bucket, owners[0], [each.name for each in chosen])


def _newest(bucket: Bucket, instance: str, names: list[str]) -> str:
    """The set with the highest number, as in a folder; raises when one cannot be read: it could be the newest."""
    return max(names, key=lambda name: bucket.manifest(instance, name).sequence)


def with_remote(stack: Stack, values: Mapping[str, str]) -> Stack:
    """The stack with these settings where its own file is silent."""
    merged = {**values, **{key: value for key, value in stack.settings.values.items() if value}}
    return replace(stack, settings=replace(stack.settings, values=merged))
