"""The private key at a real terminal and in real processes: typed without echo, in no output, in no argument."""

import json
import os
import pty
import select
import subprocess
import sys
import time

import pytest

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.model.encrypted import fingerprints
from sets import sealed_whole
from world import INSTANCE, ROOT, place_in

PUBLIC, PRIVATE = make_pair()
QUESTION = b"Private key (AGE-SECRET-KEY-1..., it is not shown)"


@pytest.fixture
def a_set(tmp_path):
    """An encrypted set, and its path; the settings in it are those of its fingerprints."""
    settings = {"SECRET_KEY_BASE": "a-secret-key-base-0123456789"}
    text = "".join(f"{name}={value}\n" for name, value in settings.items())
    keys = fingerprints(settings, INSTANCE)
    return sealed_whole(tmp_path / "backups", PUBLIC, settings=text, fingerprints=keys)


def start(folder, *words, stdin):
    return subprocess.Popen(
        (sys.executable, "-m", "invoke", *words),
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "CHATWOOT_ENV_FILE": str(folder / ".env")},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def read_until(stream, text, seconds=20):
    """What a pipe gave up to and with this text."""
    seen, until = b"", time.monotonic() + seconds
    while text not in seen and time.monotonic() < until:
        if select.select([stream], [], [], 0.2)[0]:
            seen += os.read(stream.fileno(), 4096)
    assert text in seen, seen
    return seen


def echoed(terminal):
    """What the terminal itself showed."""
    shown = b""
    while select.select([terminal], [], [], 0.2)[0]:
        shown += os.read(terminal, 4096)
    return shown


def prove_typing(folder, path, typed):
    """Exit code, all output, and what the terminal showed, of a proof for which this key is typed."""
    ours, theirs = pty.openpty()
    try:
        task = start(folder, "backup.keys", "--prove", "--set", str(path), stdin=theirs)
        said = read_until(task.stderr, QUESTION)
        os.write(ours, typed.encode() + b"\n")
        out, err = task.communicate(timeout=60)
        return task.returncode, (said + out + err).decode(), echoed(ours).decode()
    finally:
        os.close(theirs)
        os.close(ours)


def test_a_key_that_is_typed_is_neither_echoed_nor_said_and_proves_the_set(tmp_path, a_set):
    code, said, shown = prove_typing(tmp_path, a_set, PRIVATE)
    assert code == 0, said
    assert f"The private key of {PUBLIC} opens {a_set.name}" in said
    assert PRIVATE not in said
    assert "AGE-SECRET" not in shown
    assert json.loads((a_set / "proved.json").read_text())["key"] == PUBLIC


def test_a_key_that_is_typed_and_opens_nothing_is_not_said_either(tmp_path, a_set):
    wrong = make_pair()[1]
    code, said, shown = prove_typing(tmp_path, a_set, wrong)
    assert code == 13
    assert f"What was typed does not open the set {a_set.name}" in said
    assert f"encrypted to {PUBLIC}" in said
    assert wrong not in said + shown
    assert "Traceback" not in said


def test_where_nobody_can_type_the_file_is_asked_for(tmp_path, a_set):
    task = start(tmp_path, "backup.keys", "--prove", "--set", str(a_set), stdin=subprocess.DEVNULL)
    out, err = task.communicate(timeout=60)
    assert (task.returncode, out) == (13, b"")
    assert b"--identity FILE" in err


def test_a_new_pair_is_written_and_its_private_half_in_no_output(tmp_path):
    place_in(tmp_path)
    (tmp_path / "stick").mkdir()
    file = tmp_path / "stick" / "key"
    for words, code in ((("--add", "--json"), 0), (("--add",), 11), ((), 11)):
        task = start(tmp_path, "backup.keys", "--to", str(file), *words, stdin=subprocess.DEVNULL)
        out, err = task.communicate(timeout=60)
        assert task.returncode == code, err
        assert file.read_text().splitlines()[-1].encode() not in out + err
        assert b"Traceback" not in err
    assert "BACKUP_RECIPIENTS=age1" in (tmp_path / ".env").read_text()
