"""Stored files against the rows of active_storage_blobs: both directions, whatever archive they came in."""

import io
import tarfile
from contextlib import suppress

import pytest

from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.stored_files import StoredFile
from chatwoot_ops.operations.storage import files_in_archive, files_in_volume, prove_files, read_archive
from chatwoot_ops.operations.stored_archives import Archives, place_archives
from keeping import well_keeping
from sets import BLOBS, FILES, checksum, tar_of


@pytest.fixture
def archive(tmp_path):
    def write(content):
        path = tmp_path / "storage.tar"
        path.write_bytes(content)
        return path

    return write


def prove_archive(path, blobs):
    with path.open("rb") as file:
        return prove_files(read_archive(file), blobs)


def test_every_row_that_has_its_file_is_proved(archive):
    proof = prove_archive(archive(tar_of(FILES)), BLOBS)
    assert (proof.files, proof.bytes, proof.proved, proof.whole) == (2, 15, 2, True)


def test_missing_wrong_and_orphaned_files_are_told_apart(archive):
    files = {"abcdefghij": b"one fILE", "unknownkey": b"nobody's"}
    proof = prove_archive(archive(tar_of(files)), BLOBS)
    assert (proof.missing, proof.wrong, proof.orphaned) == (("klmnopqrst",), ("abcdefghij",), ("unknownkey",))
    assert (proof.proved, proof.whole) == (0, False)


def test_a_file_without_a_row_is_no_failure():
    found = {"abcdefghij": StoredFile(*BLOBS["abcdefghij"]), "x": StoredFile(1, "m")}
    proof = prove_files(found, {"abcdefghij": BLOBS["abcdefghij"]})
    assert (proof.whole, proof.orphaned, proof.proved) == (True, ("x",), 1)


@pytest.mark.parametrize("wrong", [(9, checksum(b"one file")), (8, checksum(b"two file"))], ids=["size", "content"])
def test_size_and_content_must_both_be_right(archive, wrong):
    assert prove_archive(archive(tar_of(FILES)), {**BLOBS, "abcdefghij": wrong}).wrong == ("abcdefghij",)


def test_no_rows_and_no_files_are_whole():
    assert prove_files({}, {}).whole


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_may_be_compressed(archive, mode):
    assert prove_archive(archive(tar_of(FILES, mode=mode)), BLOBS).whole


def test_marks_of_ours_folders_and_links_are_no_files():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind in ((".chatwoot-instance", tarfile.REGTYPE), ("ab", tarfile.DIRTYPE), ("l", tarfile.SYMTYPE)):
            member = tarfile.TarInfo(name)
            member.type = kind
            tar.addfile(member)
    assert list(files_in_archive(io.BytesIO(out.getvalue()))) == []


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.14])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_that_is_cut_off_is_damaged_or_lacks_files_and_is_never_whole(archive, mode, share):
    # A tar ends in empty blocks, so only what is cut off before them can be missed.
    content = tar_of(FILES, mode=mode)
    path = archive(content[: int(len(content) * share)])
    with suppress(BackupSetInvalidError):
        assert not prove_archive(path, BLOBS).whole


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100, b"\x1f\x8b nonsense"])
def test_what_is_no_archive_is_refused(archive, content):
    with pytest.raises(BackupSetInvalidError, match="storage archive is damaged or cut off"):
        prove_archive(archive(content), BLOBS)


def test_the_volume_is_read_whole_file_by_file(stack, well):
    well_keeping(well)
    assert prove_files(files_in_volume(stack, well), BLOBS).proved == 2


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_an_archive_is_handed_over_unpacked(stack, well, archive, mode):
    well_keeping(well)
    place_archives(stack, well, Archives((archive(tar_of(FILES, mode=mode)),)))
    (command,) = well.processes.ran_with("tar --extract")
    assert "one file" in command.stdin


def test_a_gzipped_archive_that_is_cut_off_is_refused(stack, well, archive):
    well_keeping(well)
    with pytest.raises(BackupSetInvalidError, match="damaged or cut off"):
        place_archives(stack, well, Archives((archive(tar_of(FILES, mode="w:gz")[:-30]),)))
