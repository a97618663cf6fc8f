"""Files that are whole or absent, whatever cuts the writing off."""

import errno
import os
import subprocess
import sys
import time

import pytest

from chatwoot_ops.adapters import files
from chatwoot_ops.errors import CommandFailedError


@pytest.fixture
def target(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    return path


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace", "os.fchmod"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_content_and_no_partial(monkeypatch, target, broken, error):
    def fail(*_args):
        raise error

    monkeypatch.setattr(broken, fail)
    with pytest.raises((CommandFailedError, KeyboardInterrupt), match=r"Cannot write .*: No space left|^$"):
        files.write_atomically(target, "new")
    monkeypatch.undo()
    assert target.read_text() == "old"
    assert list(target.parent.iterdir()) == [target]


def test_a_writer_killed_at_any_moment_leaves_one_whole_content(target):
    program = (
        "import pathlib, sys; from chatwoot_ops.adapters.files import write_atomically\n"
        "print('begun', flush=True)\n"
        "while True:\n for letter in 'ab': write_atomically(pathlib.Path(sys.argv[1]), letter * 300_000)"
    )
    for wait in (0.0, 0.013, 0.029):
        writer = subprocess.Popen([sys.executable, "-c", program, target], stdout=subprocess.PIPE, text=True)
        writer.stdout.readline()
        time.sleep(wait)
        writer.kill()
        writer.communicate()
        content = target.read_text()
        assert content == "old" or (len(content) == 300_000 and len(set(content)) == 1)
    files.write_atomically(target, "new")
    assert list(target.parent.iterdir()) == [target]


def test_the_content_is_on_disk_before_the_name_points_to_it(monkeypatch, target):
    seen = []
    monkeypatch.setattr("os.fsync", lambda _: seen.append(target.read_text()))
    files.write_atomically(target, "new")
    assert seen == ["old", "new"]  # the file before the rename, the folder after it


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        files.write_atomically(tmp_path / "private", "x")
        files.write_atomically(tmp_path / "public", "x", mode=0o644)
        files.append_line(tmp_path / "line", "x")
        files.ensure_private_folder(tmp_path / "folder")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"private": 0o600, "public": 0o644, "line": 0o600, "folder": 0o700}


def test_rights_that_others_had_on_the_folder_are_taken_away(tmp_path):
    tmp_path.chmod(0o755)
    files.ensure_private_folder(tmp_path)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_lines_are_added_at_the_end_and_synced(monkeypatch, tmp_path):
    path, seen = tmp_path / "lines", []
    files.append_line(path, "one")
    monkeypatch.setattr("os.fsync", lambda _: seen.append(path.read_text()))
    files.append_line(path, "two")
    assert seen[0] == "one\ntwo\n"


def test_a_line_after_one_that_was_cut_off_stands_on_its_own(tmp_path):
    path = tmp_path / "lines"
    path.write_text('{"cut": "o')
    files.append_line(path, '{"whole": 1}')
    assert path.read_text().splitlines()[-1] == '{"whole": 1}'


def test_a_killed_writers_partial_does_not_stop_the_next(target):
    (target.parent / ".file.partial").write_text("left by a kill")
    files.write_atomically(target, "new")
    assert list(target.parent.iterdir()) == [target]


def test_a_line_that_cannot_be_written_is_said_with_what_to_do(monkeypatch, tmp_path):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CommandFailedError, match=f"Cannot write {tmp_path}/lines: No space left on device") as caught:
        files.append_line(tmp_path / "lines", "x")
    assert "disk-full.md" in caught.value.remedy


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CommandFailedError, match="Cannot write"):
        files.ensure_private_folder(tmp_path / "file" / "folder")
