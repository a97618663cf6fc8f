"""`.env`: read as Compose reads it or refused; written whole or not at all."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.errors import SettingsInvalidError

COMPOSE = Path(sys.executable).with_name("docker-compose")
DOLLAR = "Compose replaces what follows the $ on line 1; put the value in single quotes"
HASH = "what follows ' #' on line 1 is dropped; quote the value, put the comment above"
BACKSLASH = "a backslash in quotes on line 1 is read in two ways; use letters and digits"
NEITHER = "line 1: is neither KEY=VALUE nor a comment; correct it or put # before it"
WRITTEN = [
    *("a", "a b", "  a", "a  ", "a#b", "#a", "a=b", "=a", "a'b", 'a"b', "a\\b", "a\\nb", "a:b", "a;b", "a`b", "é", ""),
    *("'a b'", "'a#b'", "'a' # c", "'a'#c", "'it\\'s'", "'a$b'", "'$a'", "'a\\nb'", "'a\nb'", "''"),
    *('"a b"', '"a#b"', '"a" # c', '"a\\"b"', '"a\\nb"', '"a\\tb"', '"a\\\\b"', '"a\nb"', '""', "x\u2028y", "x\x85y"),
]


def written(tmp_path, text, mode=0o600):
    path = tmp_path / ".env"
    path.write_text(text, encoding="utf-8", newline="")
    path.chmod(mode)
    return path


def read(tmp_path, text, mode=0o600):
    return read_env_file(written(tmp_path, text, mode))


def read_by_compose(folder, values):
    """What Compose makes of them, once for `${KEY}` in its file and once for the container's environment."""
    (folder / "all.env").write_text("".join(f"{key}={value}\n" for key, value in values.items()), newline="")
    asked = {key: f"${{{key}}}" for key in values}
    file = {"services": {"one": {"image": "none", "env_file": "all.env", "labels": asked}}}
    (folder / "compose.yml").write_text(json.dumps(file))
    argv = (COMPOSE, "-p", "x", "--env-file", "all.env", "-f", "compose.yml", "config", "--format", "json")
    answer = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True, env={"PATH": "/usr/bin"})
    service = json.loads(answer.stdout)["services"]["one"]
    # In its answer Compose doubles each dollar sign.
    return [{k: v.replace("$$", "$") for k, v in service[part].items()} for part in ("labels", "environment")]


def test_compose_makes_of_each_accepted_value_what_we_make_of_it(tmp_path):
    chance = random.Random(3)  # noqa: S311 - the same values in every run
    alphabet = "ab1 \t'\"\\#$={}:;,!`&~^n-"
    noise = ["".join(chance.choices(alphabet, k=chance.randint(1, 7))) for _ in range(800)]
    accepted = {}
    for index, value in enumerate([*WRITTEN, *noise]):
        found = read(tmp_path, f"KEY={value}\n")
        assert value not in WRITTEN or not found.problems
        if not found.problems:
            accepted[f"K{index}"] = (value, found.values["KEY"])
    assert len(accepted) > 400
    ours = {key: value for key, (_, value) in accepted.items()}
    for theirs in read_by_compose(tmp_path, {key: value for key, (value, _) in accepted.items()}):
        differing = {key: (accepted[key], theirs.get(key)) for key in ours if theirs.get(key) != ours[key]}
        assert not differing


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("KEY=a$b", f"KEY: {DOLLAR}"),
        ("KEY=${OTHER}", f"KEY: {DOLLAR}"),
        ('KEY="a$b"', f"KEY: {DOLLAR}"),
        ("KEY=a #b", f"KEY: {HASH}"),
        ("KEY=a\t#b", f"KEY: {HASH}"),
        ("KEY= #b", f"KEY: {HASH}"),
        (
            "KEY='a\\\\b'",
            f"KEY: {BACKSLASH}",
        ),
        ('KEY="a\\\'b"', f"KEY: {BACKSLASH}"),
        ("KEY=a\x07", "KEY: holds an invisible character on line 1; type the value anew"),
        ("KEY=1\nOTHER=2\n\nKEY=3", "KEY: stands on line 1 and again on line 4; keep one"),
        ("KEY", NEITHER),
        ("export KEY", NEITHER),
        ("KEY: value", NEITHER),
        ("'KEY'=value", NEITHER),
        ("a word = KEY", NEITHER),
        ("KEY='open", NEITHER),
        ('KEY="open', NEITHER),
        ("KEY='a'b", NEITHER),
        ("=value", NEITHER),
        ("\n# comment\n\n\n?", NEITHER.replace("1", "5")),
    ],
)
def test_what_compose_could_read_otherwise_is_a_problem_with_its_line(tmp_path, text, says):
    assert read(tmp_path, f"{text}\n").problems == (says,)


def test_windows_line_ends_and_a_byte_order_mark_are_said_and_do_not_hide_the_values(tmp_path):
    found = read(tmp_path, "\ufeffKEY=a\r\nOTHER=b\r\n")
    assert dict(found.values) == {"KEY": "a", "OTHER": "b"}
    mark, ends = found.problems
    assert ".env: begins with a byte-order mark; type: sed -i" in mark
    assert ".env: has Windows line ends; type: sed -i" in ends


def test_the_commands_named_for_mark_and_line_ends_cure_them(tmp_path):
    path = written(tmp_path, "\ufeffKEY=a\r\nOTHER=b\r\n")
    for problem in read_env_file(path).problems:
        subprocess.run(["sh", "-c", problem.partition("type: ")[2]], check=True)
    assert read_env_file(path).text == "KEY=a\nOTHER=b\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_file_that_others_can_read_is_a_problem(tmp_path, mode):
    path = tmp_path / ".env"
    assert read(tmp_path, "KEY=a\n", mode).problems == (
        f".env: others can read it (mode {mode:04o}); type: chmod 600 {path}",
    )


def test_all_problems_of_a_file_come_at_once(tmp_path):
    assert len(read(tmp_path, "\ufeffA=$b\r\nA=1\r\n?\r\n", 0o644).problems) == 6


def test_a_missing_file_is_refused_with_what_makes_one(tmp_path):
    with pytest.raises(SettingsInvalidError, match="There is no settings file at") as caught:
        read_env_file(tmp_path / ".env")
    assert "scripts/bootstrap setup" in caught.value.remedy


def test_a_folder_in_its_place_is_refused(tmp_path):
    with pytest.raises(SettingsInvalidError, match="Is a directory"):
        read_env_file(tmp_path)


def test_a_file_that_this_user_may_not_read_is_refused(tmp_path):
    path = written(tmp_path, "KEY=a\n", 0o000)
    program = (
        "import os, sys, pathlib, chatwoot_ops.adapters.env_file as it\n"
        "os.geteuid() or os.seteuid(65534)\n"
        "try: it.read_env_file(pathlib.Path(sys.argv[1]))\n"
        "except it.SettingsInvalidError as error: print(error.message, '|', error.remedy)"
    )
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert f"Cannot read {path}: Permission denied | Check its owner: ls -l {path}" in done.stdout


def test_a_file_that_is_no_utf_8_is_refused(tmp_path):
    (tmp_path / ".env").write_bytes(b"KEY=\xff\n")
    with pytest.raises(SettingsInvalidError, match="is not UTF-8 text"):
        read_env_file(tmp_path / ".env")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# hi\nA=1\n\nKEY=old\nB=2\n", "# hi\nA=1\n\nKEY=new\nB=2\n"),
        ("# KEY=prose\n#KEY=example\nB=2\n", "# KEY=prose\nKEY=new\nB=2\n"),
        ("#KEY=example\nKEY=\n", "#KEY=example\nKEY=new\n"),
        ("A=1\n", "A=1\nKEY=new\n"),
        ("A=1", "A=1\nKEY=new\n"),
        ("", "KEY=new\n"),
        ("?? unknown\nKEY=\n!!\n", "?? unknown\nKEY=new\n!!\n"),
        ("export KEY=old\n", "KEY=new\n"),
        ("  KEY = old\nA=1\n", "  KEY=new\nA=1\n"),
        ("KEY='a\nb'\nA=1\n", "KEY=new\nA=1\n"),
        ("A='x\nKEY=y'\n", "A='x\nKEY=y'\nKEY=new\n"),
        ("A=x\u2028y\x0cz\nKEY=\n", "A=x\u2028y\x0cz\nKEY=new\n"),
        ("MY_KEY=1\nKEY_2=2\n", "MY_KEY=1\nKEY_2=2\nKEY=new\n"),
        ("KEY=old", "KEY=new"),
    ],
)
def test_a_value_is_set_in_place_and_all_else_stays(before, after):
    assert with_values(before, {"KEY": "new"}) == after


def test_setting_nothing_changes_nothing():
    text = "# x\r\nA = 'b'   # c\n\n\n?"
    assert with_values(text, {}) == text


def test_several_values_are_set_at_once():
    assert with_values("B=\n#A=\n", {"A": "1", "B": "2", "C": "3"}) == "B=2\nA=1\nC=3\n"


def test_the_written_file_is_its_owners_alone(tmp_path):
    path = written(tmp_path, "A=1\n", 0o644)
    os.umask(os.umask(0))
    write_env_file(path, "A=2\n")
    assert path.read_text() == "A=2\n"
    assert path.stat().st_mode & 0o777 == 0o600
