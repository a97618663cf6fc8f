"""Whole sets encrypted: nothing in clear is written, the right key alone opens them, and none of it stays in clear."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from chatwoot_ops.adapters.age import identity_file, make_pair, opened
from chatwoot_ops.adapters.backup_store import BackupStore, checksum_problems, read_set
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import (
    BackupFailedError,
    BackupSetInvalidError,
    CommandFailedError,
    InterruptedByOperatorError,
    PreflightFailedError,
    RestoreFailedError,
    SettingsInvalidError,
)
from chatwoot_ops.model import manifest as manifests
from chatwoot_ops.model.backup_set import (
    DATABASE_ARTIFACT,
    KNOWN_ARTIFACT,
    LIST_ARTIFACT,
    MANIFEST,
    STORAGE_ARTIFACT,
    Encryption,
    StorageProof,
)
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.model.stored_files import StoredFile, list_lines
from chatwoot_ops.operations import encrypted_sets, opened_sets, pack_contents
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import list_sets, verify_set
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.restore import intended_restore, restore, restore_from
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_set
from chatwoot_ops.operations.status import status
from fakes import fake_host
from keeping import well_keeping
from sets import BLOBS, DUMP, FILES, manifest, sealed, sealed_whole, tar_of
from world import INSTALLED, INSTANCE, place_in, well_stack

PUBLIC, PRIVATE = make_pair()
WHERE = {"set": "latest", "dump": "", "storage": ""}
TAR = tar_of(FILES)


@pytest.fixture
def values():
    return {**INSTALLED, "BACKUP_RECIPIENTS": PUBLIC, "BACKUP_ENCRYPT": "all"}


def host_that_types(*answers):
    host = fake_host(*answers)
    well_stack(host)
    return host, well_keeping(host)


@pytest.fixture
def key(tmp_path):
    (tmp_path / "key").write_text(PRIVATE)
    return str(tmp_path / "key")


@pytest.fixture
def wrong(tmp_path):
    (tmp_path / "wrong").write_text(make_pair()[1])
    return str(tmp_path / "wrong")


@pytest.fixture
def whole(stack):
    keys = fingerprints(stack.settings.values, INSTANCE)
    return sealed_whole(stack.backup_folder, PUBLIC, settings=stack.env_file.read_text(), fingerprints=keys)


def in_clear(stack):
    """Folders that hold anything of a set in clear."""
    return [each.name for each in stack.state_folder.glob("opened-*")]


def test_every_artifact_is_encrypted_hashed_as_it_lies_there_and_proved_on_the_way(stack, well, volume, key):
    found = back_up(stack, well).set
    names = [each.name for each in found.manifest.artifacts]
    sealed_names = [f"{DATABASE_ARTIFACT}.age", f"{STORAGE_ARTIFACT}.age", f"{LIST_ARTIFACT}.age", "settings.env.age"]
    assert names == [*sealed_names[:3], KNOWN_ARTIFACT, sealed_names[3]]
    assert found.manifest.encryption == Encryption((PUBLIC,), whole=True)
    assert found.manifest.storage == StorageProof(2, 15, 2)
    assert checksum_problems(found) == ()
    in_files = [b"".join(opened(Path(found.path) / name, identity_file(Path(key)))) for name in sealed_names]
    listed = "".join(list_lines({key_: StoredFile(*blob) for key_, blob in BLOBS.items()}))
    assert in_files == [DUMP, TAR, listed.encode(), stack.env_file.read_bytes()]
    assert volume.swaps == []


@pytest.mark.usefixtures("volume")
def test_nothing_known_is_in_clear_in_any_file_of_the_set(stack, well):
    path = Path(back_up(stack, well).set.path)
    text = b"".join(each.read_bytes() for each in path.iterdir())
    known = [DUMP, *FILES.values(), *(value.encode() for value in stack.settings.secrets().values())]
    assert [each for each in known if each in text] == []


@pytest.mark.usefixtures("volume")
def test_a_set_that_should_be_encrypted_to_nobody_is_never_written(tmp_path, well):
    stack = stack_without_recipients(tmp_path)
    with pytest.raises(BackupFailedError, match="BACKUP_RECIPIENTS is empty"):
        back_up(stack, well)
    assert list(stack.backup_folder.iterdir() if stack.backup_folder.exists() else []) == []


def stack_without_recipients(folder):
    place = place_in(folder, CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_ENCRYPT="all")
    return unchecked_stack(place, read_env_file(place.env_file))


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("part", ["exec pg_dump --compress", "--entrypoint tar"])
def test_a_dump_or_archive_that_is_interrupted_leaves_no_set(stack, well, part):
    def interrupt(_):
        raise KeyboardInterrupt

    well.processes.on_call(part, interrupt)
    with pytest.raises(InterruptedByOperatorError):
        back_up(stack, well)
    assert list(stack.backup_folder.iterdir()) == []


@pytest.mark.usefixtures("volume")
def test_a_disk_that_fills_below_the_encryption_is_a_failed_backup_that_says_so(stack, well, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chatwoot_ops.adapters.partial_set.HashingFile.write", full)
    with pytest.raises(BackupFailedError) as caught:
        back_up(stack, well)
    assert "No space left on device" in caught.value.details[0]
    assert list(stack.backup_folder.iterdir()) == []


@pytest.mark.usefixtures("volume", "whole")
def test_verified_without_a_key_it_says_that_only_checksums_were_read(stack, well):
    found = verify_set(stack, well)
    assert (found.verified, found.checksums_only) == ("2026-11-24T08:00:00Z", True)
    assert list_sets(stack, well).sets[0].checksums_only
    assert status(stack, well).last_backup.endswith("verified 2026-11-24T08:00:00Z (checksums only)")
    assert not well.processes.ran_with("pg_restore")
    assert well.reporter.questions == []


@pytest.mark.usefixtures("volume", "whole")
def test_verified_with_its_key_the_contents_are_read_from_a_pipe(stack, well, key):
    assert not verify_set(stack, well, given=key).checksums_only
    (command,) = well.processes.ran_with("--entrypoint pg_restore")
    assert command.stdin == DUMP.decode()
    assert "--volume" not in command.argv


@pytest.mark.usefixtures("volume")
def test_a_dump_whose_contents_cannot_be_read_is_damaged_although_it_opens(stack, well, whole, key):
    well.processes.on("--entrypoint pg_restore", code=1, stderr="pg_restore: error: did not find magic string")
    with pytest.raises(BackupSetInvalidError, match="is damaged") as caught:
        verify_set(stack, well, given=key)
    assert caught.value.details == (f"{DATABASE_ARTIFACT}.age: pg_restore: error: did not find magic string",)
    assert read_set(whole).verified == ""


@pytest.mark.usefixtures("volume")
def test_a_damaged_set_is_called_damaged_and_its_right_key_is_not_called_wrong(stack, well, whole, key):
    path = whole / "settings.env.age"
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(BackupSetInvalidError, match="is damaged") as caught:
        verify_set(stack, well, given=key)
    assert caught.value.details == ("settings.env.age: its content is not what was written",)
    path.unlink()
    with pytest.raises(BackupSetInvalidError, match="is damaged"):
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=key))


@pytest.mark.usefixtures("volume")
def test_a_set_without_its_dump_is_damaged(stack, well, whole, key):
    (whole / f"{DATABASE_ARTIFACT}.age").unlink()
    raw = json.loads((whole / MANIFEST).read_text())
    raw["artifacts"] = [each for each in raw["artifacts"] if not each["name"].startswith(DATABASE_ARTIFACT)]
    del raw["seal"]
    (whole / MANIFEST).write_text(json.dumps({**raw, "seal": manifests._seal(raw)}))
    with pytest.raises(BackupSetInvalidError) as caught:
        verify_set(stack, well, given=key)
    assert caught.value.details == (f"{DATABASE_ARTIFACT}.age: cannot be read (No such file or directory)",)


def reseal(path, name, content):
    """Replaces an artifact and makes the manifest believe it: only the encryption itself can tell."""
    raw = json.loads((path / MANIFEST).read_text())
    (path / name).write_bytes(content)
    for each in raw["artifacts"]:
        if each["name"] == name:
            each["size"], each["sha256"] = len(content), manifests.hashlib.sha256(content).hexdigest()
    raw.pop("seal")
    (path / MANIFEST).write_text(json.dumps({**raw, "seal": manifests._seal(raw)}))


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("damage", [lambda raw: raw[:-1], lambda raw: raw[:-40] + bytes(40)], ids=["cut", "zeroed"])
def test_what_does_not_open_to_its_end_is_damaged_although_its_checksum_is_right(stack, well, whole, key, damage):
    name = f"{STORAGE_ARTIFACT}.age"
    reseal(whole, name, damage((whole / name).read_bytes()))
    assert verify_set(stack, well).checksums_only
    with pytest.raises(BackupSetInvalidError) as caught:
        verify_set(stack, well, given=key)
    assert [line.partition(":")[0] for line in caught.value.details] == [name]


@pytest.mark.usefixtures("volume", "whole")
def test_verified_with_the_wrong_key_it_is_refused_and_the_right_public_keys_are_named(stack, well, wrong):
    with pytest.raises(BackupSetInvalidError, match="does not open") as caught:
        verify_set(stack, well, given=wrong)
    assert caught.value.details == (f"encrypted to {PUBLIC}",)
    assert not list_sets(stack, well).sets[0].verified


def test_a_restore_loads_from_a_private_folder_that_is_gone_afterwards(stack, well, volume, whole, key):
    seen = []

    def look(command):
        mounted = Path(command.argv[command.argv.index("--volume") + 1].partition(":")[0])
        files = {each.name: (each.read_bytes(), each.stat().st_mode & 0o777) for each in mounted.iterdir()}
        seen.append((mounted.parent, mounted.stat().st_mode & 0o777, files))
        return Finished(0, "id", "")

    well.processes.on_call("/chatwoot-ops/stage.sh", look)
    result = restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=key))
    settings = stack.env_file.read_bytes()
    files = {DATABASE_ARTIFACT: (DUMP, 0o600), STORAGE_ARTIFACT: (TAR, 0o600), "settings.env": (settings, 0o600)}
    assert seen == [(stack.state_folder, 0o700, files)]
    assert (in_clear(stack), len(volume.swaps), result.storage.proved) == ([], 1, 2)
    assert "one file" in well.processes.ran_with("tar --extract")[0].stdin


@pytest.mark.usefixtures("whole")
def test_at_a_terminal_the_key_is_asked_for_without_echo_and_shown_nowhere(place, stack):
    host, volume = host_that_types(PRIVATE)
    restore_from(place, host, WHERE, RestoreOptions(yes=True))
    assert [secret for _, secret in host.reporter.questions] == [True]
    assert len(volume.swaps) == 1
    written = "".join(each.read_text() for each in stack.state_folder.iterdir())
    assert PRIVATE not in written
    assert host.processes.mask(f"said {PRIVATE}") == "said ********"


@pytest.mark.usefixtures("whole")
def test_without_a_key_and_with_nobody_to_ask_nothing_begins(stack, well, volume):
    with pytest.raises(BackupSetInvalidError, match="Nobody could be asked") as caught:
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert (caught.value.code, caught.value.details) == (13, (f"encrypted to {PUBLIC}",))
    assert "--identity FILE" in caught.value.remedy
    assert (volume.swaps, well.processes.ran) == ([], [])


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("typed", ["", "no key", PRIVATE[:-1]], ids=["nothing", "words", "cut off"])
def test_what_is_typed_and_is_no_key_is_refused_without_being_shown(stack, typed):
    host, volume = host_that_types(typed)
    with pytest.raises(BackupSetInvalidError, match="What was typed") as caught:
        restore(stack, host, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert PRIVATE[:-1] not in f"{caught.value.message}{caught.value.details}{caught.value.remedy}"
    assert volume.swaps == []


@pytest.mark.usefixtures("whole")
def test_a_private_key_on_the_command_line_is_refused_and_shown_nowhere(stack, well, volume):
    with pytest.raises(BackupSetInvalidError, match="on the command line") as caught:
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=PRIVATE))
    assert PRIVATE not in f"{caught.value.message}{caught.value.details}{caught.value.remedy}"
    assert (volume.swaps, stack.state_folder.exists()) == ([], False)


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("dry", [False, True])
def test_the_wrong_key_is_refused_before_anything_is_touched(place, stack, well, volume, wrong, dry):
    act = intended_restore if dry else restore_from
    with pytest.raises(BackupSetInvalidError, match="does not open the set") as caught:
        act(place, well, WHERE, RestoreOptions(yes=True, identity=wrong))
    assert (caught.value.code, caught.value.details) == (13, (f"encrypted to {PUBLIC}",))
    assert (volume.swaps, well.processes.ran, stack.state_folder.exists()) == ([], [], False)


@pytest.mark.usefixtures("whole")
def test_a_dry_run_reads_the_set_to_its_end_and_writes_nothing(place, stack, well, volume, key):
    found = intended_restore(place, well, WHERE, RestoreOptions(identity=key))
    assert "in place of the running data" in found.lines[0]
    assert well.processes.ran_with("--entrypoint pg_restore")
    assert (volume.swaps, stack.state_folder.exists()) == ([], False)


@pytest.mark.usefixtures("whole")
def test_without_room_for_the_set_in_clear_nothing_begins(stack, well, volume, key):
    well.machine.disk = 1024
    with pytest.raises(PreflightFailedError, match="no room to open") as caught:
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=key))
    assert caught.value.code == 11
    assert (volume.swaps, stack.state_folder.exists()) == ([], False)


def interrupt(_):
    raise KeyboardInterrupt


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize(
    ("part", "reply", "error"),
    [
        ("pg_restore --jobs", lambda _: Finished(1, "", "broken"), RestoreFailedError),
        ("pg_restore --jobs", interrupt, InterruptedByOperatorError),
        ("/chatwoot-ops/stage.sh", interrupt, InterruptedByOperatorError),
    ],
    ids=["failure", "Ctrl-C", "Ctrl-C early"],
)
def test_after_a_failure_and_after_ctrl_c_nothing_stays_in_clear(stack, well, volume, key, part, reply, error):
    well.processes.on_call(part, reply)
    with pytest.raises(error):
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=key))
    assert (in_clear(stack), volume.swaps) == ([], [])


@pytest.mark.usefixtures("whole")
def test_a_disk_that_fills_while_the_set_is_opened_leaves_nothing_in_clear(stack, well, volume, key, monkeypatch):
    def full(*_):
        yield b"some"
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("chatwoot_ops.operations.opened_sets.opened", full)
    with pytest.raises(CommandFailedError, match="No space left on device"):
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=key))
    assert (in_clear(stack), volume.swaps) == ([], [])


def killed(stack, host, *steps, **options):
    """A restore that was killed with its work folder open."""
    folder = stack.state_folder / "opened-abc"
    folder.mkdir(parents=True)
    (folder / DATABASE_ARTIFACT).write_bytes(DUMP)
    source = {"set": str(source_of_set(stack, "latest").set.path)}
    opening = Opening("restore", "abc", "ada", 7, "t0", {"source": source, **asdict(RestoreOptions(**options))})
    store_of(stack, host).open(opening, (Step("open", "t", {"folder": folder.name}), *steps))


@pytest.mark.usefixtures("whole")
def test_undoing_a_killed_restore_needs_no_key_and_removes_what_lay_in_clear(place, stack, well, volume, key):
    killed(stack, well, identity=key)
    assert recover(place, well, undo=True).ended
    assert (in_clear(stack), volume.swaps) == ([], [])


@pytest.mark.usefixtures("whole")
@pytest.mark.parametrize("how", ["noted", "given", "typed", "typed for a file that is gone"])
def test_finishing_a_killed_restore_takes_the_key_from_its_file_or_asks_for_it_again(place, stack, key, how):
    host, volume = host_that_types(PRIVATE)
    noted = {"noted": key, "typed for a file that is gone": "gone.txt"}.get(how, "")
    killed(stack, host, identity=noted)
    assert recover(place, host, finish=True, identity=key if how == "given" else "").ended
    assert (in_clear(stack), len(volume.swaps)) == ([], 1)
    assert len(host.reporter.questions) == how.startswith("typed")


@pytest.mark.usefixtures("whole")
def test_finishing_without_the_key_undoes_nothing_yet_and_leaves_nothing_in_clear(place, stack, well, volume, wrong):
    killed(stack, well, identity="")
    for given in ("", wrong):
        with pytest.raises(BackupSetInvalidError):
            recover(place, well, finish=True, identity=given)
    assert store_of(stack, well).read().opening.operation == "restore"
    assert (in_clear(stack), volume.swaps) == ([], [])


def test_on_an_empty_machine_the_key_opens_settings_and_data(place, stack, whole, key):
    text = stack.env_file.read_text()
    for options, answers in ((RestoreOptions(yes=True, identity=key), ()), (RestoreOptions(yes=True), (PRIVATE,))):
        place.env_file.unlink()
        host, volume = host_that_types(*answers)
        restore_from(place, host, {**WHERE, "set": str(whole)}, options)
        assert place.env_file.read_text() == text
        assert len(host.reporter.questions) == len(answers)
        assert (len(volume.swaps), in_clear(stack)) == (1, [])


@pytest.mark.usefixtures("volume")
def test_on_an_empty_machine_without_the_key_nothing_is_made(place, well, whole, wrong):
    place.env_file.unlink()
    for identity in ("", wrong):
        with pytest.raises(BackupSetInvalidError):
            restore_from(place, well, {**WHERE, "set": str(whole)}, RestoreOptions(yes=True, identity=identity))
    assert not place.env_file.exists()
    assert well.processes.ran == []


def test_settings_alone_encrypted_are_asked_for_on_an_empty_machine_and_not_elsewhere(place, stack):
    text = stack.env_file.read_text()
    extra = {"settings.env": text.encode()}
    path = sealed(stack.backup_folder)
    assert read_set(path).encrypted_artifacts == ()
    partial = BackupStore(stack.backup_folder).begin("20261124T090000Z", "logical", Encryption((PUBLIC,)))
    with partial.artifact("settings.env", secret=True) as file:
        file.write(extra["settings.env"])
    for name, content in ((DATABASE_ARTIFACT, DUMP), (STORAGE_ARTIFACT, TAR)):
        with partial.artifact(name) as file:
            file.write(content)
    given = {"name": partial.name, "sequence": 2, "artifacts": tuple(partial.artifacts)}
    BackupStore(stack.backup_folder).seal(partial, manifest(**given, encryption=partial.encryption))
    host, _ = host_that_types()
    restore_from(place, host, WHERE, RestoreOptions(yes=True))
    assert host.reporter.questions == []
    place.env_file.unlink()
    host, _ = host_that_types(PRIVATE)
    restore_from(place, host, WHERE, RestoreOptions(yes=True))
    assert place.env_file.read_text() == text
    place.env_file.unlink()
    with pytest.raises(SettingsInvalidError, match="no settings file"):
        restore_from(place, host_that_types()[0], WHERE, RestoreOptions(yes=True))


def test_a_set_of_format_1_is_still_read_listed_verified_and_restored(stack, well, volume):
    # The manifest as the version before this one wrote it, of the same two artifacts.
    path = sealed(stack.backup_folder)
    shutil.copy(Path(__file__).with_name("recorded") / "manifest-format-1.json", path / MANIFEST)
    assert read_set(path).manifest.encryption == Encryption()
    assert not verify_set(stack, well).checksums_only
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert len(volume.swaps) == 1
    assert list_sets(stack, well).sets[0].manifest.format == 1


def test_files_of_a_set_belong_to_their_owner_only(whole):
    assert {each.stat().st_mode & 0o777 for each in whole.iterdir()} == {0o600}
    assert whole.stat().st_mode & 0o777 == 0o700


@pytest.fixture
def openings(monkeypatch):
    """The names of the artifacts that are opened, each time that one is."""
    found = []
    for module in (encrypted_sets, opened_sets):
        monkeypatch.setattr(module, "opened", lambda path, identity: found.append(path.name) or opened(path, identity))
    real = pack_contents.read_sealed
    monkeypatch.setattr(pack_contents, "read_sealed", lambda path, *rest: found.append(path.name) or real(path, *rest))
    return found


def test_verifying_opens_each_artifact_once_and_to_its_end(stack, well, whole, key, openings):
    well.processes.on("-i --network none --entrypoint pg_restore", "")
    verify_set(stack, well, given=key)
    assert sorted(openings) == ["database.dump.age", "settings.env.age", "storage.tar.age"]


def test_a_dump_of_which_pg_restore_takes_the_beginning_only_is_read_to_its_end(stack, well, whole, key, monkeypatch):
    def feed(command, chunks):
        next(iter(chunks))
        return ""

    def broken(path, identity):
        if path.name != f"{DATABASE_ARTIFACT}.age":
            yield from opened(path, identity)
            return
        yield b"PGDMP"
        raise BackupSetInvalidError("damaged at its end")

    monkeypatch.setattr(well.processes, "feed", feed)
    monkeypatch.setattr(encrypted_sets, "opened", broken)
    with pytest.raises(BackupSetInvalidError) as caught:
        verify_set(stack, well, given=key)
    assert caught.value.details == (f"{DATABASE_ARTIFACT}.age: damaged at its end",)


@pytest.mark.usefixtures("volume")
def test_a_restore_opens_each_artifact_once(stack, well, whole, key, openings):
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=key))
    assert sorted(openings) == ["database.dump.age", "settings.env.age", "storage.tar.age"]
