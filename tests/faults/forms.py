"""A small set of each form that there is, sealed by the store itself, and the tool's own way to look at it."""

import hashlib
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import checksum_problems, read_set
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, MANIFEST, SETTINGS_ARTIFACT, Encryption
from chatwoot_ops.operations.backup import back_up
from keeping import well_keeping
from sets import encrypted, sealed, sealed_physical
from world import INSTALLED, healthy_host, stack_in

PUBLIC, PRIVATE = make_pair()
SETTINGS = b"SECRET_KEY_BASE=of-a-test\n" * 40


def _dump(seed):
    return b"PGDMP\x01\x0e\x00" + random.Random(seed).randbytes(20_000)  # noqa: S311 - the same bytes each time


def _archive(seed):
    return b"\x28\xb5\x2f\xfd" + random.Random(f"archive {seed}").randbytes(20_000)  # noqa: S311


def _extra(seed):
    return {DATABASE_ARTIFACT: _dump(seed), SETTINGS_ARTIFACT: encrypted(SETTINGS, PUBLIC)}


def logical(folder, seed):
    return sealed(folder, extra=_extra(seed), settings_included=True, note=f"set {seed}")


def format_1(folder, seed):
    """As the first version wrote it: no word of clusters and of encryption."""
    path = logical(folder, seed)
    raw = json.loads((path / MANIFEST).read_text())
    told = {key: value for key, value in raw.items() if key not in {"seal", "cluster", "encryption"}} | {"format": 1}
    seal = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    (path / MANIFEST).write_text(json.dumps({**told, "seal": seal}, indent=1, sort_keys=True) + "\n")
    return path


def physical(folder, seed):
    return sealed_physical(folder, content=_archive(seed), note=f"set {seed}")


def logical_encrypted(folder, seed):
    extra = {DATABASE_ARTIFACT: _dump(seed), "settings.env": SETTINGS}
    whole = Encryption((PUBLIC,), whole=True)
    return sealed(folder, extra=extra, encryption=whole, settings_included=True, note=f"set {seed}")


def physical_encrypted(folder, seed):
    whole = Encryption((PUBLIC,), whole=True)
    return sealed_physical(folder, content=_archive(seed), encryption=whole, note=f"set {seed}")


FORMS = {
    "logical set": logical,
    "logical set of format 1": format_1,
    "physical set": physical,
    "logical set, encrypted": logical_encrypted,
    "physical set, encrypted": physical_encrypted,
}


def _packed(folder, seed, **values):
    """By the tool itself: the second of two sets, which shares a pack of stored files with the first."""
    maker = folder.parent / f"maker-{seed}"
    maker.mkdir()
    given = {**INSTALLED, "BACKUP_FOLDER": str(folder)}
    stack, host = stack_in(maker, **given, BACKUP_RECIPIENTS=PUBLIC, **values), healthy_host()
    well_keeping(host)
    host.processes.on("--snapshot=", f"PGDMP of {seed}" * 500)
    for _ in range(2):
        host.clock.sleep(60)
        made = back_up(stack, host).set
    return Path(made.path)


def packed(folder, seed):
    return _packed(folder, seed)


def packed_encrypted(folder, seed):
    return _packed(folder, seed, BACKUP_ENCRYPT="all")


MADE_BY_THE_TOOL = {"logical set, of packs": packed, "logical set, of packs, encrypted": packed_encrypted}
EVERY_FORM = {**FORMS, **MADE_BY_THE_TOOL}


@dataclass
class Pair:
    """A whole set, and another one of the same form whose files can be mistaken for its own."""

    path: object
    other: object

    @classmethod
    def of(cls, form, folder):
        return cls(EVERY_FORM[form](folder / "sets", 1), EVERY_FORM[form](folder / "others", 2))

    @property
    def files(self):
        """Every file of the set, by its path below it: the manifest and all that it names, wherever that lies."""
        return sorted(str(each.relative_to(self.path)) for each in self.path.rglob("*") if each.is_file())

    def mend(self, whole):
        """Puts the set back as it was."""
        shutil.rmtree(self.path)
        shutil.copytree(whole, self.path)


def is_what_it_was(path, whole):
    """Whether a set says and holds the same as a whole one, whatever its manifest looks like."""
    try:
        found = read_set(path)
    except BackupSetInvalidError:
        return False
    return found.manifest == read_set(whole).manifest and not checksum_problems(found)


def listing(folder):
    """All that lies below a folder, with a checksum of each file."""

    def state(path):
        if path.is_symlink():
            return f"link to {path.readlink()}"
        return "folder" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()

    return {str(each.relative_to(folder)): state(each) for each in sorted(folder.rglob("*"))}
