"""A set for a drill, straight from off-site: it lies in a work folder while it is drilled and is gone afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from chatwoot_ops.adapters.files import ensure_private_folder
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.lock import is_held
from chatwoot_ops.adapters.pulled_set import PulledSet
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import terminable
from chatwoot_ops.operations.pulling import fetch_artifacts, require_room
from chatwoot_ops.operations.remote import Bucket, find_remote, open_bucket

WORK = "drilled-"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A set's folder, where it came from ("" for this machine), and the seconds that took."""

    path: str
    origin: str = ""
    seconds: float = 0.0


def drill_lock(stack: Stack) -> str:
    """The name of the lock that keeps two drills of one stack apart."""
    return f"{stack.project}.drill"


@contextmanager
def set_to_drill(stack: Stack, host: Host, name: str, *, from_remote: bool) -> Iterator[Fetched]:
    """The set that is drilled; one from off-site lies in a private folder while the block runs.

    To be called while the drill's lock is held: what a kill left of another one is removed. Raises
    BackupSetInvalidError for a set that is not there or damaged, PreflightFailedError where there is no room,
    CommandFailedError when the remote does not answer.
    """
    if not from_remote:
        yield Fetched(name)
        return
    _drop_all(stack)
    bucket, folder = open_bucket(stack, host), stack.state_folder / f"{WORK}{uuid4().hex[:8]}"
    with terminable():
        try:
            yield _fetch(stack, host, bucket, folder, name)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _fetch(stack: Stack, host: Host, bucket: Bucket, folder: Path, name: str) -> Fetched:
    host.reporter.step(f"Looking for the set at {bucket.remote.url}")
    instance, found = find_remote(bucket, stack.settings["CHATWOOT_INSTANCE_ID"], name)
    manifest = bucket.manifest(instance, found)
    size = sum(each.size for each in manifest.artifacts)
    require_room(host, stack.state_folder, size)
    host.reporter.step(f"Fetching {show_size(size)} of {found} from {bucket.remote.url}")
    ensure_private_folder(stack.state_folder)
    pulled = PulledSet(folder, found)
    with host.timed() as spent:
        try:
            pulled.begin()
            fetch_artifacts(host, bucket, manifest, pulled, manifest.artifacts)
            path = pulled.seal(bucket.manifest_text(instance, found))
        except OSError as error:
            text = f"Cannot write the set to {folder}: {error.strerror}"
            raise CommandFailedError(text, remedy="Free some room there; docs/runbooks/disk-full.md.") from error
    return Fetched(str(path), f"{bucket.remote.url}/{instance}/{found}", spent[0])


def drop_fetched(stack: Stack) -> None:
    """Removes what a killed drill had fetched; that of a drill which is at work stays."""
    if not is_held(drill_lock(stack)):
        _drop_all(stack)


def _drop_all(stack: Stack) -> None:
    for folder in stack.state_folder.glob(f"{WORK}*"):
        shutil.rmtree(folder, ignore_errors=True)
