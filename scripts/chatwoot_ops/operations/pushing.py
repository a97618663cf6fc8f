"""Brings a sealed set off-site: artifacts, each read back byte for byte, then the manifest, then a note of it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from chatwoot_ops.adapters.backup_store import checksum_problems, mark_off_site
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.pulled_set import digest_of
from chatwoot_ops.errors import BackupFailedError, BackupSetInvalidError, CommandFailedError, OpsError
from chatwoot_ops.model.backup_set import MANIFEST, Artifact, BackupSet
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.remote import CLAIM, OFF_SITE, readable
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import BackedUp, back_up
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.changing import Change, changing
from chatwoot_ops.operations.remote import Bucket, open_bucket


@dataclass(frozen=True, slots=True)
class Pushed:
    """A set that was read back off-site now: bytes that were sent, of how many, and what an operator must know."""

    name: str
    remote: str
    sent: int
    size: int
    seconds: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Copy:
    """A set and the folder of its copy."""

    bucket: Bucket
    set: BackupSet

    @property
    def folder(self) -> str:
        return self.bucket.remote.folder(self.set.manifest.instance, self.set.manifest.name)

    @property
    def manifest(self) -> str:
        return (Path(self.set.path) / MANIFEST).read_text(encoding="utf-8")

    def send(self, artifact: Artifact) -> int:
        return self.bucket.store.send(f"{self.folder}/{artifact.name}", Path(self.set.path) / artifact.name)

    def problem(self, artifact: Artifact) -> str:
        """What is wrong with the artifact's copy; reads all of it."""
        name = f"{self.folder}/{artifact.name}"
        if name not in self.bucket.store.sizes(self.folder):
            return f"{artifact.name}: is not there although the server took it"
        return digest_of(artifact, self.bucket.store.read(name))


def back_up_off_site(stack: Stack, host: Host, *, push_it: bool = True) -> BackedUp:
    """Takes a set, and brings it off-site where BACKUP_REMOTE says where to.

    Raises what back_up and push raise; after a failed push the set is there all the same, and the error says so.
    """
    made = back_up(stack, host)
    if not push_it or not stack.settings["BACKUP_REMOTE"]:
        return made
    pushed = push(stack, host, made.set.path)
    return replace(made, set=store_of(stack).find(made.set.path), warnings=(*made.warnings, *pushed.warnings))


def push(stack: Stack, host: Host, name: str = "latest", *, resume: Journal | None = None) -> Pushed:
    """Brings a set off-site; what is there already is not sent again, but read back all the same.

    Raises BackupSetInvalidError when the set is damaged here, or another one of its name is there; BackupFailedError
    when the copy could not be made or is not what was sent. The set here stays as it is either way.
    """
    copy = _Copy(open_bucket(stack, host), store_of(stack).find(name))
    with changing(stack, host, "push", {"set": copy.set.path}, resume=resume) as change, host.timed() as spent:
        try:
            sent, warnings = _push(copy, host, change)
        except BackupSetInvalidError:
            raise
        except (OSError, OpsError) as error:
            raise _not_off_site(copy, error) from error
    manifest = copy.set.manifest
    where = f"{copy.bucket.remote.url}/{manifest.instance}/{manifest.name}"
    return Pushed(manifest.name, where, sent, copy.set.size, round(spent[0], 1), warnings)


def _push(copy: _Copy, host: Host, change: Change) -> tuple[int, tuple[str, ...]]:
    name, url, store = copy.set.manifest.name, copy.bucket.remote.url, copy.bucket.store
    change.step("check", f"Checking {name} before it is sent", set=name)
    _require_whole(copy)
    change.step("send", f"Sending {show_size(copy.set.size)} to {url}", folder=copy.folder)
    _claim(copy)
    sent = sum(copy.send(artifact) for artifact in _absent(copy))
    change.step("read-back", "Reading the copy back")
    again = _read_back(copy, host)
    change.step("publish", "Writing the manifest of the copy")
    _publish(copy)
    change.step("mark", "Noting that the set is off-site")
    note = json.dumps({"at": host.clock.stamp(), "remote": f"{url}/{copy.set.manifest.instance}/{name}"}) + "\n"
    store.put(f"{copy.folder}/{OFF_SITE}", note)
    mark_off_site(copy.set, note)
    return sent, (*again, *_abandoned(copy), *_warnings(copy))


def _require_whole(copy: _Copy) -> None:
    problems = checksum_problems(copy.set)
    if problems:
        remedy = "Take another set ('invoke backups'). Nothing was sent."
        raise BackupSetInvalidError(f"The set {copy.set.manifest.name} is damaged", details=problems, remedy=remedy)


def _claim(copy: _Copy) -> None:
    """The name at the remote belongs to the set with this manifest from here on; two hosts cannot both have it."""
    store, claim, manifest = copy.bucket.store, f"{copy.folder}/{CLAIM}", f"{copy.folder}/{MANIFEST}"
    wanted = json.dumps({"manifest": hashlib.sha256(copy.manifest.encode()).hexdigest()}) + "\n"
    same = store.text(manifest) in {None, copy.manifest}
    if same or store.text(claim) is not None:
        store.put_new(claim, wanted)
    if store.text(claim) != wanted:
        text = f"Another set of the name {copy.set.manifest.name} is at {copy.bucket.remote.url} already"
        remedy = "Two hosts have the same CHATWOOT_INSTANCE_ID: give each its own prefix in BACKUP_REMOTE."
        raise BackupSetInvalidError(text, details=("It was not touched; its content is another.",), remedy=remedy)
    if not same:
        # Ours, by the claim, and damaged since: it is no set until it is whole again.
        store.remove((manifest,))


def _absent(copy: _Copy) -> list[Artifact]:
    there = copy.bucket.store.sizes(copy.folder)
    return [each for each in copy.set.manifest.artifacts if there.get(f"{copy.folder}/{each.name}") != each.size]


def _read_back(copy: _Copy, host: Host) -> tuple[str, ...]:
    """Compares every byte; what is wrong is sent once more. Returns warnings.

    Raises CommandFailedError when it is wrong again: no set is left at the remote then.
    """
    warnings, problems = [], []
    for artifact in copy.set.manifest.artifacts:
        problem = copy.problem(artifact)
        if not problem:
            continue
        host.reporter.note(f"{problem}; sending it again")
        copy.send(artifact)
        warnings.append(f"the copy of {problem}; it was sent again and is right now")
        problems += [found] if (found := copy.problem(artifact)) else []
    if problems:
        mark_off_site(copy.set, "")
        copy.bucket.store.remove(f"{copy.folder}/{each}" for each in (MANIFEST, OFF_SITE))
        raise CommandFailedError("what the remote holds is not what was sent", details=tuple(problems))
    return tuple(warnings)


def _publish(copy: _Copy) -> None:
    name = f"{copy.folder}/{MANIFEST}"
    copy.bucket.store.put_new(name, copy.manifest)
    if copy.bucket.store.text(name) != copy.manifest:
        raise CommandFailedError("the manifest at the remote is not what was sent")


def _abandoned(copy: _Copy) -> tuple[str, ...]:
    """Ends uploads of this set that were cut off; that they cost room is no reason to call the copy bad."""
    try:
        copy.bucket.store.abandon_uploads(copy.folder)
    except CommandFailedError as error:
        return (f"uploads that were cut off may still take room there: {error.message}",)
    return ()


def _warnings(copy: _Copy) -> tuple[str, ...]:
    bare = readable(copy.set.manifest.artifacts)
    found = [f"whoever can read the bucket can read {', '.join(bare)}: they are not encrypted"] if bare else []
    if copy.bucket.remote.in_clear:
        found.append("BACKUP_REMOTE_ENDPOINT is not https: the set could be read on its way")
    return tuple(found)


def _not_off_site(copy: _Copy, error: OSError | OpsError) -> BackupFailedError:
    name = copy.set.manifest.name
    why = error.message if isinstance(error, OpsError) else str(error)
    details = error.details if isinstance(error, OpsError) else ()
    cure = getattr(error, "remedy", "")
    remedy = f"{cure} The set is kept here: type 'invoke push --set {name}', what is there already is not sent again."
    return BackupFailedError(f"The set {name} is not off-site: {why}", details=details, remedy=remedy.lstrip())
