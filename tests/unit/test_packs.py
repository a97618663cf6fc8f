"""Stored files in packs: a set costs only what is new, is restored by itself, and is never less proved for that."""

import json
import os
import shutil
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import BackupStore, read_set
from chatwoot_ops.errors import BackupFailedError, BackupSetInvalidError, InterruptedByOperatorError
from chatwoot_ops.model import manifest as manifests
from chatwoot_ops.model.backup_set import KNOWN_ARTIFACT, LIST_ARTIFACT, MANIFEST, STORAGE_ARTIFACT
from chatwoot_ops.model.stored_files import (
    MOST_PACKS,
    Pack,
    Packing,
    StoredFile,
    list_lines,
    parse_list,
    place_of,
    token,
)
from chatwoot_ops.model.verification import Level
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import list_sets, verify_set
from chatwoot_ops.operations.held_files import ASKED, FIRST, OTHERWISE_ENCRYPTED
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_dump, source_of_set
from keeping import well_keeping
from sets import DUMP, sealed
from stored import StorageVolume
from world import INSTALLED, INSTANCE, stack_in

ONE, TWO, THREE, FOUR = "abcdefghij", "klmnopqrst", "uvwxyzabcd", "efghijklmn"
FIRST_PACK = "storage-000001.tar"


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def stored(well, tmp_path):
    """A volume with two files, on a stack that is well."""
    well_keeping(well)
    stored = StorageVolume(tmp_path / "files", tmp_path / "work").attach(well)
    stored.write(ONE, "one file" * 2000)
    stored.write(TWO, "another" * 2000)
    return stored


@pytest.fixture
def take(stack, well):
    def act(**changed):
        well.clock.passed += 3600
        return back_up(changed.get("stack", stack), well)

    return act


def files_of(made):
    return {each.name: each for each in Path(made.set.path).iterdir()}


def held_by(made, *names):
    """Names of the files in these packs of a set."""
    found = []
    for name in names:
        with tarfile.open(files_of(made)[name]) as tar:
            found += sorted(Path(each.name).name for each in tar if each.isfile())
    return found


def test_the_first_set_has_one_pack_of_all_files_and_says_why(stored, take):
    made = take()
    assert made.set.manifest.packing == Packing((Pack(STORAGE_ARTIFACT, 2, 30000),), FIRST)
    assert held_by(made, STORAGE_ARTIFACT) == sorted(stored.files())
    assert made.set.shared == 0


def test_the_next_set_holds_what_is_new_and_links_the_rest_to_the_very_same_file(stored, take):
    first = take()
    stored.write(THREE, "a third")
    second = take()
    pack, own = files_of(second)[FIRST_PACK], files_of(second)[STORAGE_ARTIFACT]
    assert pack.stat().st_ino == files_of(first)[STORAGE_ARTIFACT].stat().st_ino
    assert (pack.stat().st_nlink, own.stat().st_nlink) == (2, 1)
    assert second.set.manifest.packing == Packing((Pack(FIRST_PACK, 2, 30000), Pack(STORAGE_ARTIFACT, 1, 7)))
    assert held_by(second, STORAGE_ARTIFACT) == [THREE]
    assert (second.set.manifest.storage.files, second.set.manifest.storage.proved) == (3, 3)
    assert second.warnings == first.warnings


def test_two_sets_with_the_same_files_cost_one_on_the_disk(stored, take, stack, well):
    first = take()
    stored_bytes = files_of(first)[STORAGE_ARTIFACT].stat().st_size
    second = take()
    assert STORAGE_ARTIFACT not in files_of(second)
    on_disk = {each.stat().st_ino: each.stat().st_size for made in (first, second) for each in files_of(made).values()}
    summed = sum(each.stat().st_size for made in (first, second) for each in files_of(made).values())
    assert summed - sum(on_disk.values()) == stored_bytes == second.set.shared
    listed = list_sets(stack, well)
    assert [each.shared for each in listed.sets] == [stored_bytes, stored_bytes]
    assert [each.own for each in listed.sets] == [each.size - stored_bytes for each in listed.sets]
    assert stored.rows


def test_after_the_first_set_is_gone_the_second_is_whole_and_restored(stored, take, stack, well):
    first = take()
    stored.write(THREE, "a third")
    second = take()
    shutil.rmtree(first.set.path)
    wanted = stored.files()
    assert verify_set(stack, well, level=Level.ARCHIVE).shared == 0
    shutil.rmtree(stored.folder)
    stored.folder.mkdir()
    restored = restore(stack, well, source_of_set(stack, second.set.manifest.name), RestoreOptions(yes=True))
    assert (stored.files(), restored.storage.proved) == (wanted, 3)


def test_a_file_that_was_deleted_does_not_come_back(stored, take, stack, well):
    stored.write(THREE, "a third")
    take()
    stored.delete(THREE)
    second = take()
    assert THREE in held_by(second, FIRST_PACK)
    shutil.rmtree(stored.folder)
    stored.folder.mkdir()
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert sorted(stored.files()) == sorted([ONE, TWO])


def test_a_file_with_other_content_under_its_key_is_copied_anew_and_the_newest_is_restored(stored, take, stack, well):
    stored.write(THREE, "a third")
    take()
    stored.write(THREE, "a thirD")
    second = take()
    assert held_by(second, STORAGE_ARTIFACT) == [THREE]
    assert verify_set(stack, well).level == Level.ARCHIVE
    shutil.rmtree(stored.folder)
    stored.folder.mkdir()
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert stored.files()[THREE] == "a thirD"


def test_back_to_its_former_content_it_is_copied_once_more_for_the_last_pack_counts(stored, take, stack, well):
    take()
    before = stored.files()[TWO]
    stored.write(TWO, "x")
    take()
    stored.write(TWO, before)
    third = take()
    assert held_by(third, STORAGE_ARTIFACT) == [TWO]
    stored.damage(TWO, "y")
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert stored.files()[TWO] == before


@pytest.mark.parametrize("loss", ["lost", "damaged, same size and time"])
def test_what_the_volume_lost_or_damaged_the_set_has_from_the_one_before_and_says_so(stored, take, stack, well, loss):
    take()
    before, times = stored.files()[ONE], stored.place(ONE).stat()
    if loss == "lost":
        stored.lose(ONE)
    else:
        stored.damage(ONE, before[:-1] + "?")
        os.utime(stored.place(ONE), ns=(times.st_atime_ns, times.st_mtime_ns))
    second = take()
    assert second.set.manifest.storage.kept == (ONE,)
    assert second.set.manifest.storage.whole
    assert second.warnings[1] == (
        "1 stored files are gone or damaged in the volume; this set has them from an earlier one"
    )
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert stored.files()[ONE] == before


def test_what_no_set_has_is_missing_or_wrong_as_ever(stored, take):
    take()
    stored.write(THREE, "a third")
    stored.lose(THREE)
    stored.write(FOUR, "right")
    stored.damage(FOUR, "wrong")
    storage = take().set.manifest.storage
    assert (storage.missing, storage.wrong, storage.kept, storage.proved) == ((THREE,), (FOUR,), (), 2)


@pytest.mark.parametrize("artifact", [STORAGE_ARTIFACT, KNOWN_ARTIFACT])
def test_a_set_that_is_damaged_is_not_gone_on_from_and_that_is_a_warning(stored, take, artifact):
    first = take()
    path = files_of(first)[artifact]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    second = take()
    assert len(second.set.manifest.packing.packs) == 1
    assert f"{artifact}: its content is not what was written" in second.set.manifest.packing.whole_because
    assert second.warnings[0].startswith("The stored files were copied whole: the set 20261124T090000Z-logical is dam")
    assert second.set.manifest.storage.proved == len(stored.rows)


def test_a_damaged_shared_pack_is_found_in_each_set_that_has_it(stored, take, stack, well):
    first, second = take(), take()
    path = files_of(first)[STORAGE_ARTIFACT]
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    for made, name in ((first, STORAGE_ARTIFACT), (second, FIRST_PACK)):
        with pytest.raises(BackupSetInvalidError) as caught:
            verify_set(stack, well, made.set.path, Level.CHECKSUMS)
        assert caught.value.details == (f"{name}: its content is not what was written",)
    assert stored.rows


def test_where_links_are_refused_the_set_is_whole_and_says_so(stored, take, monkeypatch):
    take()
    stored.write(THREE, "a third")

    def refuse(*_):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr("chatwoot_ops.adapters.partial_set.os.link", refuse)
    second = take()
    assert held_by(second, STORAGE_ARTIFACT) == sorted(stored.files())
    assert "cannot be linked in the folder of the sets (Invalid cross-device link)" in second.warnings[0]
    assert [each.name for each in second.set.packs] == [STORAGE_ARTIFACT]


def test_a_link_that_is_refused_in_the_middle_leaves_none_of_the_others(stored, take, monkeypatch):
    take()
    stored.write(THREE, "a third")
    take()
    link, made = os.link, []

    def refuse_the_second(*args):
        if made:
            raise OSError(31, "Too many links")
        made.append(args)
        link(*args)

    monkeypatch.setattr("chatwoot_ops.adapters.partial_set.os.link", refuse_the_second)
    third = take()
    assert [each.name for each in third.set.packs] == [STORAGE_ARTIFACT]
    assert not [name for name in files_of(third) if name.startswith("storage-")]


@pytest.mark.parametrize("part", ["md5sum {} +", "--exclude-from=-"])
def test_a_backup_that_is_cut_off_leaves_nothing_half_and_earlier_sets_whole(stored, take, stack, well, part):
    first = take()
    stored.write(THREE, "a third")

    def interrupt(_):
        raise KeyboardInterrupt

    well.processes.on_call(part, interrupt)
    with pytest.raises(InterruptedByOperatorError):
        take()
    assert [each.name for each in stack.backup_folder.iterdir()] == [first.set.manifest.name]
    assert files_of(first)[STORAGE_ARTIFACT].stat().st_nlink == 1
    assert verify_set(stack, well).level == Level.ARCHIVE


def test_what_a_killed_backup_had_linked_goes_and_the_set_it_came_from_stays(stored, take, stack, well):
    first = take()
    partial = stack.backup_folder / "20261124T100000Z-logical.partial"
    partial.mkdir()
    os.link(files_of(first)[STORAGE_ARTIFACT], partial / FIRST_PACK)
    BackupStore(stack.backup_folder).drop_partials()
    assert files_of(first)[STORAGE_ARTIFACT].stat().st_nlink == 1
    assert verify_set(stack, well).level == Level.ARCHIVE
    assert stored.rows


@pytest.mark.parametrize("failing", ["md5sum {} +", "--exclude-from=-"])
def test_a_volume_that_cannot_be_read_is_a_failed_backup(stored, take, stack, well, failing):
    take()
    stored.write(THREE, "a third")
    well.processes.on(failing, code=2, stderr="Input/output error")
    with pytest.raises(BackupFailedError):
        take()
    assert len(list(stack.backup_folder.iterdir())) == 1


def test_once_too_much_of_the_packs_is_of_files_that_are_gone_the_next_is_whole(stored, take):
    take()
    stored.delete(TWO)
    second = take()
    assert second.set.manifest.packing.whole_because == (
        "46 % of the packs before are of files that are gone or were changed"
    )
    assert held_by(second, STORAGE_ARTIFACT) == [ONE]


def test_what_only_an_earlier_pack_has_is_not_given_up_for_a_whole_copy(stored, take):
    take()
    stored.lose(ONE)
    stored.delete(TWO)
    second = take()
    assert (second.set.manifest.storage.kept, second.set.manifest.packing.whole_because) == ((ONE,), "")


def test_a_whole_one_that_was_asked_for_shares_nothing(stored, take, stack, well):
    take()
    well.clock.passed += 60
    made = back_up(stack, well, whole=True)
    assert made.set.manifest.packing == Packing((Pack(STORAGE_ARTIFACT, 2, 30000),), ASKED)
    assert stored.rows


def test_too_many_packs_are_a_reason_too():
    packs = tuple(Pack(f"storage-{number:06}.tar", 1, 100) for number in range(MOST_PACKS))
    assert Packing(packs).worn_out(100 * MOST_PACKS) == "the set before has 30 packs already"
    assert Packing(packs[1:]).worn_out(100 * MOST_PACKS) == ""


@pytest.mark.parametrize(("live", "reason"), [(75, ""), (74, "26 %")])
def test_a_quarter_may_be_of_files_that_are_gone(live, reason):
    assert Packing((Pack("a", 1, 100),)).worn_out(live).startswith(reason) is True
    assert bool(Packing((Pack("a", 1, 100),)).worn_out(live)) is bool(reason)


def whole_to(stack_folder, *recipients):
    stack_folder.mkdir(exist_ok=True)
    values = {"BACKUP_RECIPIENTS": ",".join(recipients), "BACKUP_ENCRYPT": "all"}
    return stack_in(stack_folder, **INSTALLED, **values)


def test_encrypted_sets_share_their_packs_without_any_private_key(stored, take, tmp_path, well):
    public, private = make_pair()
    stack = whole_to(tmp_path / "all", public)
    take(stack=stack)
    stored.write(THREE, "a third")
    second = take(stack=stack)
    assert files_of(second)[f"{FIRST_PACK}.age"].stat().st_nlink == 2
    assert second.set.manifest.packing.packs[-1] == Pack(STORAGE_ARTIFACT, 1, 7)
    (tmp_path / "key").write_text(private)
    assert verify_set(stack, well, given=str(tmp_path / "key")).level == Level.ARCHIVE
    wanted = stored.files()
    shutil.rmtree(stored.folder)
    stored.folder.mkdir()
    options = RestoreOptions(yes=True, identity=str(tmp_path / "key"))
    restore(stack, well, source_of_set(stack, "latest"), options)
    assert stored.files() == wanted


def test_no_key_of_a_file_and_no_checksum_of_one_is_in_clear_in_an_encrypted_set(stored, take, tmp_path):
    made = take(stack=whole_to(tmp_path / "all", make_pair()[0]))
    names = set(files_of(made))
    assert {f"{LIST_ARTIFACT}.age", KNOWN_ARTIFACT} <= names
    text = b"".join(each.read_bytes() for each in files_of(made).values())
    md5s = [list_line.split()[0].encode() for list_line in list_lines({ONE: StoredFile(*stored.rows[ONE])})]
    assert [each for each in (ONE.encode(), TWO.encode(), *md5s) if each in text] == []


def test_to_other_recipients_nothing_is_linked(stored, take, tmp_path):
    (one, _), (other, _) = make_pair(), make_pair()
    take(stack=whole_to(tmp_path / "all", one))
    second = take(stack=whole_to(tmp_path / "all", other))
    assert second.set.manifest.packing.whole_because == OTHERWISE_ENCRYPTED
    assert [each.name for each in second.set.packs] == [f"{STORAGE_ARTIFACT}.age"]
    third = take(stack=whole_to(tmp_path / "all", one, other))
    assert third.set.manifest.packing.whole_because == OTHERWISE_ENCRYPTED
    fourth = take(stack=whole_to(tmp_path / "all", other, one))
    assert fourth.set.manifest.packing.whole_because == ""
    assert stored.rows


def test_a_set_in_clear_is_not_linked_into_an_encrypted_one_nor_the_other_way_round(stored, take, tmp_path):
    public = make_pair()[0]
    clear = stack_in(tmp_path / "all", **INSTALLED) if (tmp_path / "all").mkdir() is None else None
    take(stack=clear)
    assert take(stack=whole_to(tmp_path / "all", public)).set.manifest.packing.whole_because == OTHERWISE_ENCRYPTED
    clear = stack_in(tmp_path / "all", **INSTALLED)
    again = take(stack=clear).set.manifest.packing
    assert (again.whole_because, len(again.packs)) == ("", 1)
    assert stored.rows


def test_of_another_installation_nothing_is_taken(stored, take, tmp_path):
    take()
    other = stack_in(tmp_path, **{**INSTALLED, "CHATWOOT_INSTANCE_ID": INSTANCE.replace("1", "9")})
    assert take(stack=other).set.manifest.packing.whole_because == FIRST
    assert stored.rows


def test_a_set_of_format_2_is_listed_verified_and_restored_and_nothing_is_linked_to_it(stored, take, stack, well):
    path = sealed(stack.backup_folder)
    shutil.copy(Path(__file__).with_name("recorded") / "manifest-format-2.json", path / MANIFEST)
    assert verify_set(stack, well).manifest.format == 2
    assert take().set.manifest.packing.whole_because == FIRST
    for key in stored.files():
        stored.delete(key)
    stored.write(ONE, "one file")
    stored.write(TWO, "another")
    wanted = stored.files()
    stored.lose(ONE)
    restore(stack, well, source_of_set(stack, path.name), RestoreOptions(yes=True))
    assert stored.files() == wanted


def test_the_folder_of_a_set_is_a_source_of_stored_files_without_its_manifest(stored, take, stack, well):
    take()
    stored.delete(TWO)
    stored.write(THREE, "x" * 20000)
    stored.write(FOUR, "y" * 20000)
    second = take()
    wanted = stored.files()
    shutil.rmtree(stored.folder)
    stored.folder.mkdir()
    source = source_of_dump(str(files_of(second)["database.dump"]), second.set.path)
    restore(stack, well, source, RestoreOptions(yes=True))
    assert stored.files() == wanted


def test_a_folder_without_a_pack_in_clear_is_no_source(stored, take, tmp_path):
    made = take(stack=whole_to(tmp_path / "all", make_pair()[0]))
    (tmp_path / "dump").write_bytes(DUMP)
    with pytest.raises(BackupSetInvalidError, match="no pack of stored files in clear"):
        source_of_dump(str(tmp_path / "dump"), made.set.path)
    assert stored.rows


def test_files_that_are_no_stored_files_are_in_every_set_for_none_of_them_is_known_by_a_key(stored, take):
    take()
    (stored.folder / "odd name\nin two lines.txt").write_text("somebody's")
    assert held_by(take(), STORAGE_ARTIFACT) == ["odd name\nin two lines.txt"]
    third = take()
    assert held_by(third, STORAGE_ARTIFACT) == ["odd name\nin two lines.txt"]
    listed = parse_list(files_of(third)[LIST_ARTIFACT].read_text().splitlines())
    assert sorted(listed) == sorted([ONE, TWO, "odd name\nin two lines.txt"])


def test_a_pack_that_does_not_hold_what_its_list_says_is_found_although_all_checksums_are_right(
    stored, take, stack, well, monkeypatch
):
    monkeypatch.setattr("chatwoot_ops.operations.storage_copy.list_lines", lambda found: list_lines(shifted(found)))
    take()
    with pytest.raises(BackupSetInvalidError) as caught:
        verify_set(stack, well)
    assert caught.value.details[-1] == f"{LIST_ARTIFACT}: in no pack as it is listed: missing: {ONE}"
    assert stored.rows


@pytest.fixture
def closed(tmp_path):
    """A stack whose whole sets are encrypted, and the file with the private key that opens them."""
    public, private = make_pair()
    (tmp_path / "key").write_text(private)
    return whole_to(tmp_path / "all", public), str(tmp_path / "key")


def test_an_encrypted_pack_that_does_not_hold_what_its_list_says_is_found_with_the_key(
    stored, take, closed, well, monkeypatch
):
    stack, key = closed
    monkeypatch.setattr("chatwoot_ops.operations.storage_copy.list_lines", lambda found: list_lines(shifted(found)))
    take(stack=stack)
    assert verify_set(stack, well).checksums_only
    assert verify_set(stack, well, level=Level.CHECKSUMS, given=key).checksums_only
    with pytest.raises(BackupSetInvalidError) as caught:
        verify_set(stack, well, given=key)
    assert caught.value.details[-1] == f"{LIST_ARTIFACT}.age: in no pack as it is listed: missing: {ONE}"
    assert stored.rows


def test_an_encrypted_list_that_lacks_a_file_or_cannot_be_read_is_found(stored, take, closed, well, monkeypatch):
    stack, key = closed
    lines = iter(([f"{'0' * 32} 3 ./ab/cd/{ONE}\n"], ["no line of a list\n"], ["\u00e9 3 x\n"]))
    monkeypatch.setattr("chatwoot_ops.operations.storage_copy.list_lines", lambda _: next(lines))
    said = []
    for _ in range(2):
        take(stack=stack, whole=True)
        with pytest.raises(BackupSetInvalidError) as caught:
            verify_set(stack, well, given=key)
        said.append(caught.value.details[0])
    assert said[0] == f"{LIST_ARTIFACT}.age: 1 files, 3 bytes; the manifest says 2 files, 30000 bytes"
    assert said[1].startswith(f"{LIST_ARTIFACT}.age cannot be read: ")


@pytest.fixture(params=["plain", "encrypted"])
def either(request, stack, closed):
    return (stack, "") if request.param == "plain" else closed


def test_a_set_is_read_to_its_end_a_piece_at_a_time(stored, take, either, well):
    stored.write(THREE, "a large file" * 4_000_000)
    ours, key = either
    take(stack=ours)
    tracemalloc.start()
    try:
        assert verify_set(ours, well, given=key).level == Level.ARCHIVE
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


def shifted(found):
    return {key: StoredFile(each.size, found[TWO].md5) for key, each in found.items()}


def test_a_list_says_md5_size_and_place_and_is_read_back():
    files = {ONE: StoredFile(3, "rL0Y20zC+Fzt72VPzMSk2A==")}
    (line,) = list_lines(files)
    assert line == f"acbd18db4cc2f85cedef654fccc4a4d8 3 {place_of(ONE)}\n"
    assert parse_list([line]) == files


@pytest.mark.parametrize("line", ["", "a b", "zz 3 ./ab/cd/abcd", "acbd18db4cc2f85cedef654fccc4a4d8 x ./a"])
def test_what_is_no_line_of_a_list_is_refused(line):
    with pytest.raises(ValueError, match=r".*"):
        parse_list([line])


def test_a_token_is_of_key_size_content_and_secret():
    file = StoredFile(3, "m")
    tokens = {token("s", "k", file), token("t", "k", file), token("s", "l", file), token("s", "k", StoredFile(4, "m"))}
    assert len({*tokens, token("s", "k", StoredFile(3, "n"))}) == 5
    assert token("s", "k", file) == token("s", "k", StoredFile(3, "m"))


def test_a_manifest_whose_pack_is_no_artifact_is_damaged(stored, take):
    made = take()
    raw = json.loads((Path(made.set.path) / MANIFEST).read_text())
    assert raw["packing"]["packs"] == [{"bytes": 30000, "files": 2, "name": STORAGE_ARTIFACT}]
    raw["packing"]["packs"][0]["name"] = "storage-000009.tar"
    del raw["seal"]
    (Path(made.set.path) / MANIFEST).write_text(json.dumps({**raw, "seal": manifests._seal(raw)}))
    with pytest.raises(BackupSetInvalidError, match="damaged") as caught:
        read_set(Path(made.set.path))
    assert caught.value.details == ("ValueError: the pack 'storage-000009.tar' is no artifact",)
    assert stored.rows
