"""With which settings a drill runs, and whether this machine has room for it beside what serves."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.adapters.age import Identity
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import BackupSet, Manifest
from chatwoot_ops.model.check import Check, failed, passed
from chatwoot_ops.model.size import show_size
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.restore_settings import Given, given_settings, read_text_values

# One web process, the server that loads with its two jobs, Redis, and some to spare.
LEAST_MEMORY = 1536 * 1024**2
# Dumps came out at a sixth of the database and more (facts/perf.md); the log of changes is added while it is loaded.
DATABASE_FACTOR = 8
LEAST_LEFT = 2 * 1024**3
QUIET = {
    # Docker's own network of this name leads nowhere; the overlay joins none but the stack's own.
    "CHATWOOT_NETWORK": "none",
    "WEB_CONCURRENCY": "1",
    "POSTGRES_SHARED_BUFFERS": "256MB",
    # The archive of changes is production's: a drill adds nothing to it.
    "WAL_ARCHIVE": "off",
}


def settings_of(place: Place, backup_set: BackupSet, identity: Identity | None, settings: str) -> str:
    """The settings text that fits a set: what was given, else `.env` where it is of the same installation.

    Raises BackupSetInvalidError when neither is there, or what was given cannot be read or opened.
    """
    manifest = backup_set.manifest
    own = identity if manifest.settings_included else None
    given = given_settings(Given(backup_set.path, own, settings), Path(backup_set.path).parent)
    if given:
        return given
    file = read_env_file(place.env_file) if place.env_file.exists() else None
    if file and file.values.get("CHATWOOT_INSTANCE_ID") == manifest.instance:
        return file.text
    text = f"The set belongs to installation {manifest.instance}, and there are no settings of it here"
    raise BackupSetInvalidError(
        text, remedy="Give them: --identity FILE (the set's private key) or --settings FILE. Nothing was changed."
    )


def values_of(text: str, manifest: Manifest) -> dict[str, str]:
    """What a drill lays over the settings: no shared network, little memory, and the release that the set is of."""
    values = dict(QUIET)
    if read_text_values(text).get("CHATWOOT_RELEASE") != manifest.release:
        values |= {"CHATWOOT_IMAGE": manifest.image, "CHATWOOT_RELEASE": manifest.release}
    return values


def room_checks(host: Host, backup_set: BackupSet) -> tuple[Check, ...]:
    """Whether memory and disk suffice beside what runs already.

    Raises CommandFailedError when the engine does not say where it keeps its data.
    """
    folder = Path(host.processes.run(docker.root_folder()).stdout.strip())
    storage = backup_set.manifest.storage.bytes
    packed = sum(each.size for each in backup_set.manifest.artifacts if each.name.startswith("storage"))
    wanted = (backup_set.size - packed) * DATABASE_FACTOR + storage + LEAST_LEFT
    return (
        _enough("memory", host.machine.available_memory(), LEAST_MEMORY, "Stop something else, or drill elsewhere"),
        _enough("disk", host.machine.free_disk(folder), wanted, "Free some; docs/runbooks/disk-full.md says how"),
    )


def _enough(name: str, there: int, wanted: int, remedy: str) -> Check:
    seen = f"{show_size(there)} free, a drill of this set needs {show_size(wanted)}"
    return passed(name, seen) if there >= wanted else failed(name, seen, remedy)
