"""Backup sets as tests need them: data, manifests, and whole sets on disk."""

from __future__ import annotations

import io
import json
import tarfile
from base64 import b64encode
from dataclasses import replace
from hashlib import md5

from chatwoot_ops.adapters.age import encrypting
from chatwoot_ops.adapters.backup_store import BackupStore, read_set
from chatwoot_ops.adapters.files import write_atomically
from chatwoot_ops.model.backup_set import (
    CLUSTER_ARTIFACT,
    DATABASE_ARTIFACT,
    MANIFEST,
    STORAGE_ARTIFACT,
    BackupSet,
    DataDigest,
    Encryption,
    Manifest,
    StorageProof,
    TableDigest,
)
from chatwoot_ops.model.certificate import Certificate
from chatwoot_ops.model.check import passed
from chatwoot_ops.model.cluster import PHYSICAL, ClusterFacts
from chatwoot_ops.model.manifest import to_json
from world import INSTANCE, VERSIONS

RELEASE = "v4.15.1-ce"
NEWEST = "2026-11-23T10:00:00+00:00"
DATA = DataDigest(
    tables={"public.messages": TableDigest(258, "77"), "public.users": TableDigest(3, "-5")},
    sequences={"public.messages_id_seq": (258, 260)},
    migrations=VERSIONS,
    extensions={"plpgsql": "1.0", "vector": "0.8.0"},
    triggers=4,
    postgres="16.14",
    newest_message=NEWEST,
)
CLUSTER = ClusterFacts(
    system_identifier="7570000000000000001",
    major=16,
    architecture="x86_64",
    superuser="postgres",
    database="chatwoot_production",
    encoding="UTF8",
    collation_provider="libc",
    collation="en_US.utf8",
    collation_version="2.36",
    data_checksums=True,
    timeline=1,
    start_lsn="0/2000028",
    stop_lsn="0/2000100",
    began="2026-11-24T08:00:00Z",
    folder="initial",
)
# What a physical set notes of its database: no table.
OUTLINED = replace(DATA, tables={}, sequences={"public.messages_id_seq": (258, 292)})
ARCHIVE_NAME, ARCHIVE = f"{CLUSTER_ARTIFACT}.zst", b"a cluster's files, as far as anybody looks"
DUMP = b"PGDMP a dump, as far as anybody looks"
FILES = {"abcdefghij": b"one file", "klmnopqrst": b"another"}


def checksum(content):
    """A file's MD5 as Active Storage writes it."""
    return b64encode(md5(content, usedforsecurity=False).digest()).decode()


BLOBS = {key: (len(content), checksum(content)) for key, content in FILES.items()}


def tar_of(files, *, mode="w"):
    """A tar of these files, each where Active Storage keeps it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for key, content in files.items():
            member = tarfile.TarInfo(f"./{key[:2]}/{key[2:4]}/{key}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


def manifest(**changed):
    made = Manifest(
        name="20261124T080000Z-logical",
        kind="logical",
        sequence=1,
        created="2026-11-24T08:00:00Z",
        instance=INSTANCE,
        release=RELEASE,
        image="chatwoot/chatwoot:v4.15.1-ce",
        data=DATA,
        storage=StorageProof(2, 15, 2),
        settings_included=False,
        fingerprints={},
        artifacts=(),
        tool="chatwoot-ops 0.1.0",
    )
    return replace(made, **changed)


def a_set(**changed):
    return BackupSet(
        "/backups/20261124T080000Z-logical", manifest(**changed), "2026-11-24T09:00:00Z", 2048, level="archive"
    )


def certificate(**changed):
    made = Certificate(
        set="20261124T080000Z-logical",
        kind="logical",
        release=RELEASE,
        instance=INSTANCE,
        began="2026-11-24T08:00:00Z",
        ended="2026-11-24T08:01:10Z",
        passed=True,
        recovery_seconds=41.5,
        size_bytes=2048,
        rows=261,
        tables=2,
        files_proved=2,
        checks=(passed("/app/login", "serves, with database and Redis"),),
        from_remote=False,
        image="chatwoot/chatwoot:v4.15.1-ce",
        fake=False,
    )
    return replace(made, **changed)


def rewrite(path, **changed):
    """The manifest as the tool would have sealed it had it known these values."""
    write_atomically(path / MANIFEST, to_json(replace(read_set(path).manifest, **changed)))


def encrypted(content, *recipients):
    """These bytes in the age format."""
    out = io.BytesIO()
    with encrypting(out, recipients) as sink:
        sink.write(content)
    return out.getvalue()


def sealed(folder, *, stamp="20261124T080000Z", extra=None, encryption=None, **changed):
    """A whole set in a folder, sealed by the store itself; its path. With `encryption` to whom, all of it or not."""
    store = BackupStore(folder)
    partial = store.begin(stamp, "logical", encryption)
    changed["encryption"] = partial.encryption
    for name, content in {DATABASE_ARTIFACT: DUMP, STORAGE_ARTIFACT: tar_of(FILES), **(extra or {})}.items():
        with partial.artifact(name) as file:
            file.write(content)
    given = {"name": partial.name, "sequence": partial.sequence, "artifacts": tuple(partial.artifacts), **changed}
    return store.seal(partial, manifest(**given))


def sealed_physical(folder, *, archive=ARCHIVE_NAME, content=ARCHIVE, encryption=None, **changed):
    """A whole physical set in a folder, sealed by the store itself; its path. With `encryption` to whom."""
    store = BackupStore(folder)
    partial = store.begin("20261124T080000Z", PHYSICAL, encryption)
    sealed_settings = {"settings.env": b"A=b\n"} if encryption else {}
    for name, data in {archive: content, STORAGE_ARTIFACT: tar_of(FILES), **sealed_settings}.items():
        with partial.artifact(name) as file:
            file.write(data)
    given = {"name": partial.name, "sequence": partial.sequence, "artifacts": tuple(partial.artifacts)}
    own = {"kind": PHYSICAL, "data": OUTLINED, "cluster": CLUSTER, "encryption": partial.encryption}
    return store.seal(partial, manifest(**{**given, **own, **changed}))


def digest_lines(data=DATA):
    """What psql answers to the question for the digest."""
    rows = [["table", name, each.rows, each.digest] for name, each in data.tables.items()]
    last = {name: high for name, (_, high) in data.sequences.items()}
    facts = {"extensions": dict(data.extensions), "triggers": data.triggers, "postgres": data.postgres}
    rows += [["sequences", last], ["facts", {**facts, "newest_message": data.newest_message or None}]]
    rows += [["migrations", list(data.migrations)], ["end"]]
    return [json.dumps(row) for row in rows]


def blob_lines(blobs=None):
    return [*(json.dumps([key, size, md5_]) for key, (size, md5_) in (blobs or BLOBS).items()), "[]"]


def sealed_whole(folder, *recipients, settings="", **changed):
    """A set of which every artifact is encrypted to these public keys, the settings too; its path."""
    extra = {"settings.env": settings.encode()}
    return sealed(folder, extra=extra, encryption=Encryption(recipients, whole=True), **changed)
