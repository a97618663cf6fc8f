"""The physical set: the running cluster, sealed or nothing, and what keeps a database from giving one."""

import json
from dataclasses import replace

import pytest

from chatwoot_ops import console
from chatwoot_ops.errors import BackupFailedError, SettingsInvalidError
from chatwoot_ops.model.backup_set import (
    DATABASE_ARTIFACT,
    KNOWN_ARTIFACT,
    LIST_ARTIFACT,
    STORAGE_ARTIFACT,
    StorageProof,
)
from chatwoot_ops.model.cluster import COMPRESSIONS, LOGICAL, PHYSICAL
from chatwoot_ops.model.journal import Opening
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import verify_set
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.recover import recover
from fakes import SPOKEN
from keeping import PROBE, SAID, probed, well_physical
from sets import ARCHIVE, ARCHIVE_NAME, BLOBS, CLUSTER, OUTLINED, sealed_physical
from world import INSTALLED, INSTANCE, place_in, stack_in

SESSION = f"ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n{SPOKEN}"


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def host(well):
    well_physical(well)
    return well


def left(stack):
    return sorted(each.name for each in stack.backup_folder.iterdir()) if stack.backup_folder.exists() else []


def test_a_set_holds_the_cluster_the_storage_and_what_decides_where_it_runs(stack, host):
    found = back_up(stack, host, kind=PHYSICAL).set.manifest
    assert (found.name, found.kind, found.format) == ("20261124T080000Z-physical", PHYSICAL, 3)
    assert found.cluster == CLUSTER
    assert found.data == OUTLINED
    assert found.storage == StorageProof(2, 15, 2)
    names = [ARCHIVE_NAME, STORAGE_ARTIFACT, LIST_ARTIFACT, KNOWN_ARTIFACT]
    assert [each.name for each in found.artifacts] == names
    assert (stack.backup_folder / found.name / ARCHIVE_NAME).read_bytes() == ARCHIVE
    assert not host.processes.ran_with("--snapshot=")


def test_the_kind_is_the_settings_unless_another_is_named(tmp_path, host):
    stack = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_KIND=PHYSICAL)
    assert back_up(stack, host).set.manifest.kind == PHYSICAL


def test_without_a_word_the_kind_is_logical(stack, well):
    well_physical(well)
    well.processes.on("-d chatwoot_production -c SELECT pg_database_size", "9000000\n")
    assert stack.settings["BACKUP_KIND"] == LOGICAL


def test_a_kind_that_does_not_exist_is_refused_before_anything_is_asked(stack, host):
    with pytest.raises(SettingsInvalidError, match="no kind of backup set called 'cold'") as caught:
        back_up(stack, host, kind="cold")
    assert "logical and physical" in caught.value.remedy
    assert host.processes.ran == []


def test_the_wal_is_held_by_a_slot_of_the_session_while_the_cluster_is_copied(stack, host):
    back_up(stack, host, kind=PHYSICAL)
    (session,) = host.processes.sessions
    assert "pg_create_physical_replication_slot('chatwoot_ops_' || pg_backend_pid(), true, true)" in session.sent[0]
    assert session.closed
    (line,) = [each for each in host.processes.lines if "pg_basebackup" in each]
    assert "--wal-method=fetch --checkpoint=fast" in line


def test_the_storage_comes_after_the_cluster_so_that_each_row_finds_its_file(stack, host):
    back_up(stack, host, kind=PHYSICAL)
    lines = host.processes.lines
    places = [next(n for n, line in enumerate(lines) if part in line) for part in ("pg_basebackup", "--entrypoint tar")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("after", "missing"),
    [
        ({"abcdefghij": BLOBS["abcdefghij"]}, ()),
        ({**BLOBS, "laterlater": (3, "x")}, ("laterlater",)),
    ],
    ids=["went meanwhile", "came meanwhile"],
)
def test_files_of_rows_before_and_after_are_looked_for(stack, well, after, missing):
    well_physical(well, after=after)
    found = back_up(stack, well, kind=PHYSICAL).set.manifest.storage
    assert found.missing == missing
    assert found.orphaned == ()


@pytest.mark.parametrize("compression", COMPRESSIONS, ids=lambda each: each.program)
def test_the_archive_is_packed_as_well_as_server_and_image_can(stack, host, compression):
    host.processes.on(PROBE, probed(compression.program))
    found = back_up(stack, host, kind=PHYSICAL).set.manifest
    assert found.database_artifact == f"cluster.tar{compression.ending}"
    assert host.processes.ran_with(f"--compress={compression.option}")


UNABLE = {
    "wal_level is minimal": {"wal_level": "minimal"},
    "max_wal_senders is 0": {"max_wal_senders": 0},
    "max_replication_slots is 0": {"max_replication_slots": 0},
    "no right to replicate": {"replication": False},
    "it has tablespaces": {"tablespaces": 1},
}


@pytest.mark.parametrize("why", UNABLE)
def test_a_database_that_cannot_be_copied_says_why_and_nothing_stays(stack, host, why):
    host.processes.on(PROBE, probed(able=UNABLE[why]))
    with pytest.raises(BackupFailedError, match="cannot be copied while it runs") as caught:
        back_up(stack, host, kind=PHYSICAL)
    assert len(caught.value.details) == 1
    assert why in caught.value.details[0]
    assert "--kind logical" in caught.value.remedy
    assert left(stack) == []
    assert not host.processes.ran_with("pg_basebackup")


def test_all_that_keeps_a_database_from_it_is_told_at_once(stack, host):
    host.processes.on(PROBE, probed(able={key: value for each in UNABLE.values() for key, value in each.items()}))
    with pytest.raises(BackupFailedError) as caught:
        back_up(stack, host, kind=PHYSICAL)
    assert len(caught.value.details) == len(UNABLE)


FAILURES = {
    "a page whose checksum is wrong": ("pg_basebackup", {"code": 1, "stderr": "checksum error occurred"}),
    "a copy that does not say where it stops": ("pg_basebackup", {"stderr": SAID.partition("end point")[0]}),
    "a slot that cannot be had": (SESSION, {"code": 3, "stderr": "all replication slots are in use"}),
    "a session that ends while the cluster is copied": (SESSION, {"stdout": '["slot"]\n'}),
}


@pytest.mark.parametrize("what", FAILURES)
def test_whatever_fails_no_half_of_a_set_stays(stack, host, what):
    part, answer = FAILURES[what]
    host.processes.on(part, **answer)
    with pytest.raises(BackupFailedError, match="No backup set was made"):
        back_up(stack, host, kind=PHYSICAL)
    assert left(stack) == []
    assert json.loads(store_of(stack, host).ledger.read_text())["outcome"] == "failed with 22"


@pytest.mark.parametrize("kind", [PHYSICAL, LOGICAL])
def test_room_is_wanted_by_kind(stack, host, kind):
    wanted = 9_000_000 // {PHYSICAL: 2, LOGICAL: 3}[kind] + 256 * 1024**2
    host.machine.disk = wanted - 1
    with pytest.raises(Exception, match="no room for a backup set"):
        back_up(stack, host, kind=kind)
    assert left(stack) == []


def test_a_backup_that_was_cut_off_is_finished_as_the_kind_it_was(tmp_path, host):
    place = place_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE)
    stack = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE)
    store_of(stack, host).open(Opening("backup", "abc", "ada", 7, "t0", {"kind": PHYSICAL}), ())
    assert recover(place, host, finish=True).ended
    assert left(stack) == ["20261124T080000Z-physical"]


def test_a_set_is_verified_by_its_checksums_and_a_flipped_byte_is_found(stack, host, capsys):
    path = sealed_physical(stack.backup_folder)
    found = verify_set(stack, host)
    assert found.verified
    assert not host.processes.ran_with("pg_restore")
    console.show(found)
    assert "a restore verifies each file of the cluster" in capsys.readouterr().out
    content = bytearray((path / ARCHIVE_NAME).read_bytes())
    content[7] ^= 1
    (path / ARCHIVE_NAME).write_bytes(content)
    with pytest.raises(Exception, match="is damaged") as caught:
        verify_set(stack, host)
    assert caught.value.details == (f"{ARCHIVE_NAME}: its content is not what was written",)


def test_people_read_what_a_set_holds_and_where_it_begins_and_ends(stack, host, capsys):
    console.show(back_up(stack, host, kind=PHYSICAL))
    shown = capsys.readouterr().out
    assert "the whole cluster, from 0/2000028 to 0/2000100 in its WAL" in shown
    assert "physical" in shown


def test_a_manifest_names_its_database_artifact_by_kind(stack, host):
    found = back_up(stack, host, kind=PHYSICAL).set.manifest
    assert replace(found, kind=LOGICAL).database_artifact == DATABASE_ARTIFACT
    assert replace(found, artifacts=()).database_artifact == "cluster.tar"
