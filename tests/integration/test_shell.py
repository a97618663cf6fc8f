"""ShellCheck over every shell script of the repository: a name, a first line or a directive says which those are."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHEBANG = re.compile(rb"^#!.*\b(?:ba|da)?sh\b")
DIRECTIVE = re.compile(rb"^# shellcheck shell=", re.MULTILINE)
# Findings that are meant, each with its reason.
MEANT = {
    # Chatwoot's own entrypoint leaves these words unquoted, and an operator meets what follows from it.
    "infra/docker/sandbox/chatwoot-fake/docker/entrypoints/rails.sh": "SC2086",
}


def is_shell(path):
    if path.suffix == ".sh":
        return True
    with path.open("rb") as file:
        start = file.read(400)
    return bool(SHEBANG.match(start) or DIRECTIVE.search(start))


def shell_scripts():
    """Every shell script below the root, folders of tools and caches left out."""
    found = []
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name == ".ci" or name[0] not in "._")
        found += [Path(folder, name) for name in sorted(files)]
    return [path.relative_to(ROOT) for path in found if path.is_file() and is_shell(path)]


def findings(path, *, meant=""):
    program = shutil.which("shellcheck", path=str(ROOT / ".venv/bin")) or "shellcheck"
    exclude = ["--exclude", meant] if meant else []
    argv = [program, "--format=gcc", "-x", "-P", "SCRIPTDIR", "-P", "infra/docker/sandbox", *exclude, str(path)]
    answer = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode in {0, 1}, answer.stderr
    return answer.stdout.splitlines()


@pytest.mark.parametrize("path", shell_scripts(), ids=str)
def test_shellcheck_finds_nothing(path):
    assert findings(path, meant=MEANT.get(str(path), "")) == []


def test_the_scripts_a_newcomer_runs_are_among_those_that_are_checked():
    checked = {str(path) for path in shell_scripts()}
    assert checked >= {"scripts/bootstrap", "scripts/install-docker", "infra/docker/sandbox/build", ".ci/run"}


@pytest.mark.parametrize("path", MEANT)
def test_a_finding_that_is_meant_is_still_there(path):
    assert any(MEANT[path] in line for line in findings(path))


def test_a_script_that_removes_what_a_word_expands_to_is_found(tmp_path):
    script = tmp_path / "clean"
    script.write_text('#!/bin/sh\nrm -rf "$1"/$2\n', encoding="utf-8")
    assert is_shell(script)
    assert any("SC2086" in line for line in findings(script))
