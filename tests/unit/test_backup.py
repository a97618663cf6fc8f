"""The backup: one snapshot, sealed or nothing; whatever fails, no half of a set stays."""

import json
from pathlib import Path

import pytest

from chatwoot_ops.adapters.age import identity_file, make_pair, unseal
from chatwoot_ops.errors import (
    BackupFailedError,
    BackupSetInvalidError,
    InterruptedByOperatorError,
    PreflightFailedError,
    StackLockedError,
)
from chatwoot_ops.model.backup_set import (
    DATABASE_ARTIFACT,
    KNOWN_ARTIFACT,
    LIST_ARTIFACT,
    MANIFEST,
    SETTINGS_ARTIFACT,
    STORAGE_ARTIFACT,
    StorageProof,
)
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.journal import Opening
from chatwoot_ops.operations.backup import LEFT_OUT, back_up
from chatwoot_ops.operations.backup_sets import list_sets, verify_set
from chatwoot_ops.operations.changing import store_of
from fakes import SPOKEN
from keeping import SNAPSHOT, well_keeping
from sets import BLOBS, DATA, DUMP, FILES, checksum, sealed, tar_of
from world import INSTALLED, INSTANCE, VERSIONS, stack_in

LISTS = [LIST_ARTIFACT, KNOWN_ARTIFACT]
DUMPING, TAR = "--snapshot=", "--entrypoint tar"


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def host(well):
    well_keeping(well)
    return well


def left(stack):
    return sorted(each.name for each in stack.backup_folder.iterdir()) if stack.backup_folder.exists() else []


def test_a_set_holds_dump_storage_and_a_manifest_of_the_same_snapshot(stack, host):
    result = back_up(stack, host, note="why")
    found = result.set.manifest
    assert (found.name, found.sequence, found.instance) == ("20261124T080000Z-logical", 1, INSTANCE)
    assert (found.release, found.note, found.data) == ("v4.15.1-ce", "why", DATA)
    assert found.storage == StorageProof(2, 15, 2)
    assert [each.name for each in found.artifacts] == [DATABASE_ARTIFACT, STORAGE_ARTIFACT, *LISTS]
    assert found.artifacts[0].size == len(DUMP)
    assert found.fingerprints == fingerprints(stack.settings.values, INSTANCE)
    assert host.processes.ran_with(f"--snapshot={SNAPSHOT}")


def test_a_sequence_that_is_moved_while_the_dump_is_written_may_be_anywhere_between_before_and_after(stack, host):
    digest = well_keeping(host, high={"public.messages_id_seq": 900}) and back_up(stack, host).set.manifest.data
    assert digest.sequences == {"public.messages_id_seq": (DATA.sequences["public.messages_id_seq"][0], 900)}


def test_the_storage_comes_after_the_database_so_that_each_row_finds_its_file(stack, host):
    back_up(stack, host)
    lines = host.processes.lines
    places = [next(n for n, line in enumerate(lines) if part in line) for part in (DUMPING, TAR)]
    assert places == sorted(places)


def test_the_dump_is_made_while_the_snapshot_is_held_and_the_session_ends_well(stack, host):
    back_up(stack, host)
    sent = host.processes.sessions[0].sent
    assert sent[0].startswith("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")
    assert "pg_export_snapshot" in sent[1]
    assert sent[-1] == "ROLLBACK;\n"
    assert host.processes.sessions[0].closed


def test_without_recipients_settings_are_left_out_and_that_is_said(stack, host):
    result = back_up(stack, host)
    assert result.warnings == (LEFT_OUT,)
    assert not result.set.manifest.settings_included
    assert SETTINGS_ARTIFACT not in left(stack)


@pytest.mark.parametrize("separator", [" ", ",", ", "])
def test_settings_are_sealed_to_every_recipient_and_to_nobody_else(tmp_path, host, separator):
    pairs = [make_pair(), make_pair()]
    (tmp_path / "a").mkdir()
    recipients = separator.join(public for public, _ in pairs)
    stack = stack_in(tmp_path / "a", CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_RECIPIENTS=recipients)
    result = back_up(stack, host)
    assert result.warnings == ()
    assert result.set.manifest.settings_included
    sealed_settings = (stack.backup_folder / result.set.manifest.name / SETTINGS_ARTIFACT).read_bytes()
    for number, (_, private) in enumerate(pairs):
        (tmp_path / str(number)).write_text(private)
        assert unseal(sealed_settings, identity_file(tmp_path / str(number))).decode() == stack.env_file.read_text()


def test_no_secret_is_in_clear_in_a_set(stack, host):
    back_up(stack, host)
    text = b"".join(each.read_bytes() for each in (stack.backup_folder / "20261124T080000Z-logical").iterdir())
    assert not [value for value in stack.settings.secrets().values() if value.encode() in text]


def test_files_that_were_missing_or_wrong_already_are_a_warning_and_no_failure(stack, well):
    blobs = {**BLOBS, "gonegonego": (1, "x"), "abcdefghij": (8, checksum(b"ONE FILE"))}
    well_keeping(well, blobs={key: BLOBS[key] for key in BLOBS})
    spoken = [json.dumps(["sequences", {}]), SNAPSHOT, *(json.dumps([k, *v]) for k, v in blobs.items()), "[]"]
    rest = json.dumps(["facts", {"extensions": {}, "triggers": 0, "postgres": "16", "newest_message": None}])
    well.processes.on(
        f"ON_ERROR_STOP=1 -U postgres -d chatwoot_production\n{SPOKEN}",
        "\n".join([*spoken, rest, json.dumps(["migrations", list(VERSIONS)]), '["end"]', spoken[0]]),
    )
    warnings = back_up(stack, well).warnings
    assert warnings[1:5] == (
        "1 stored files were missing already",
        "1 stored files do not match their rows",
        "wrong: abcdefghij",
        "missing: gonegonego",
    )


FAILURES = {
    "session": (f"-d chatwoot_production\n{SPOKEN}", Finished(0, "", "")),
    "dump": (DUMPING, Finished(1, "", "pg_dump: error: out of memory")),
    "storage": (TAR, Finished(1, "", "tar: short read")),
    "storage cut off": (TAR, Finished(0, tar_of(FILES)[:600].decode(), "")),
}


@pytest.mark.parametrize("where", FAILURES)
def test_whatever_fails_no_half_of_a_set_stays_and_earlier_sets_do(stack, host, where):
    earlier = sealed(stack.backup_folder, stamp="20261123T080000Z")
    part, finished = FAILURES[where]
    host.processes.on_call(part, lambda _: finished)
    with pytest.raises(BackupFailedError, match="No backup set was made") as caught:
        back_up(stack, host)
    assert caught.value.code == 22
    assert caught.value.remedy
    assert left(stack) == [earlier.name]
    assert json.loads(store_of(stack, host).ledger.read_text())["outcome"] == "failed with 22"


def test_a_recipient_that_is_none_is_a_failure_that_leaves_nothing(tmp_path, host):
    stack = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_RECIPIENTS="ada@example.com")
    with pytest.raises(BackupFailedError, match="is no age public key"):
        back_up(stack, host)
    assert left(stack) == []


@pytest.mark.parametrize("part", [DUMPING, TAR])
def test_ctrl_c_leaves_nothing(stack, host, part):
    def interrupt(_):
        raise KeyboardInterrupt

    host.processes.on_call(part, interrupt)
    with pytest.raises(InterruptedByOperatorError) as caught:
        back_up(stack, host)
    assert caught.value.code == 130
    assert left(stack) == []
    assert store_of(stack, host).read() is None


def test_a_disk_that_fills_while_the_set_is_written_leaves_nothing(stack, host, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chatwoot_ops.adapters.partial_set.HashingFile.write", full)
    with pytest.raises(BackupFailedError) as caught:
        back_up(stack, host)
    assert "No space left on device" in caught.value.details[0]
    assert left(stack) == []


def test_a_dump_that_went_into_another_folder_of_the_same_name_is_no_set(stack, host):
    host.processes.on(DUMPING, "")
    with pytest.raises(BackupFailedError) as caught:
        back_up(stack, host)
    assert "nothing arrived" in caught.value.details[0]
    assert left(stack) == []


def test_the_file_that_the_dump_is_written_into_is_the_operators_alone(stack, host):
    seen = []

    def look(command):
        folder = next(each.removesuffix(":/set") for each in command.argv if each.endswith(":/set"))
        seen.append((Path(folder) / DATABASE_ARTIFACT).stat().st_mode & 0o777)
        return Finished(0, DUMP.decode(), "")

    host.processes.on_call(DUMPING, look)
    back_up(stack, host)
    assert seen == [0o600]


def test_a_folder_that_cannot_be_written_is_named(stack, host):
    stack.backup_folder.write_text("a file where the folder should be")
    with pytest.raises(BackupFailedError, match="Cannot write") as caught:
        back_up(stack, host)
    assert str(stack.backup_folder) in caught.value.message


@pytest.mark.parametrize(("free", "fits"), [(3_000_000 + 256 * 1024**2 - 1, False), (3_000_000 + 256 * 1024**2, True)])
def test_a_backup_for_which_there_is_no_room_does_not_begin(stack, host, free, fits):
    host.machine.disk = free
    if fits:
        assert back_up(stack, host)
    else:
        with pytest.raises(PreflightFailedError, match="no room for a backup set") as caught:
            back_up(stack, host)
        assert caught.value.code == 11
        assert not host.processes.ran_with(DUMPING)
        assert left(stack) == []


def test_what_a_killed_backup_left_is_removed_by_the_next(stack, host):
    (stack.backup_folder / "old.partial").mkdir(parents=True)
    back_up(stack, host)
    assert left(stack) == ["20261124T080000Z-logical"]


def test_sets_and_damaged_folders_are_listed(stack, host):
    path, torn = sealed(stack.backup_folder), sealed(stack.backup_folder)
    (torn / MANIFEST).write_text("{")
    found = list_sets(stack, host)
    assert ([each.path for each in found.sets], found.damaged) == ([str(path)], (torn.name,))
    assert host.processes.ran == []


def test_a_verified_set_says_when(stack, host):
    sealed(stack.backup_folder)
    assert verify_set(stack, host).verified == "2026-11-24T08:00:00Z"
    assert host.processes.ran_with("--entrypoint pg_restore")


def test_a_damaged_set_is_refused_with_all_that_is_wrong_and_not_marked(stack, host):
    path = sealed(stack.backup_folder)
    (path / DATABASE_ARTIFACT).write_bytes(DUMP[:-1] + b"?")
    (path / STORAGE_ARTIFACT).unlink()
    with pytest.raises(BackupSetInvalidError, match="is damaged") as caught:
        verify_set(stack, host)
    assert len(caught.value.details) == 2
    assert caught.value.code == 13
    assert list_sets(stack, host).sets[0].verified == ""
    assert host.processes.ran == []


def test_a_dump_whose_own_contents_cannot_be_read_is_damaged_although_its_checksum_is_right(stack, host):
    sealed(stack.backup_folder)
    host.processes.on("--entrypoint pg_restore", code=1, stderr="pg_restore: error: did not find magic string")
    with pytest.raises(BackupSetInvalidError) as caught:
        verify_set(stack, host)
    assert caught.value.details == (f"{DATABASE_ARTIFACT}: pg_restore: error: did not find magic string",)


def test_a_backup_while_another_operation_was_cut_off_is_refused(stack, host):
    store_of(stack, host).open(Opening("restore", "abc", "ada", 7, "t0", {}), ())
    with pytest.raises(StackLockedError, match="'restore' of t0 was cut off"):
        back_up(stack, host)
    assert left(stack) == []
