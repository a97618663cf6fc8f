"""The pages for the day something is lost, block by block as they tell their reader to type, on one throwaway stack.

The tests go in the order of that stack's life. A terminal answers "yes" where a task asks, as an operator would.
"""

import os
import pty
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.console import open_session
from chatwoot_ops.model.schema import parse_schema
from chatwoot_ops.operations.opening import open_with
from chatwoot_ops.operations.rehearse import SANDBOX
from chatwoot_ops.operations.sample_data import make_sample_data
from stack.blocks import commands_of, marked_block
from stack.tools import BIN, COMPOSE_FOLDER, REPOSITORY, docker, quick_checkout

DOCS = REPOSITORY / "docs"
BACK_UP, RESTORE = DOCS / "how-to/back-up.md", DOCS / "how-to/restore.md"
UPGRADE, MOVE = DOCS / "how-to/upgrade.md", DOCS / "how-to/move-to-another-host.md"
VOLUME_LOST, UPGRADE_FAILED = DOCS / "runbooks/volume-lost.md", DOCS / "runbooks/upgrade-failed.md"
KEY_LOST, SET_FORMAT = DOCS / "runbooks/key-lost.md", DOCS / "reference/backup-set.md"
VALUE = commands_of(VOLUME_LOST, "Check").split("docker volume ls")[0]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout in which the pages' commands run: bootstrap has tests of its own, here it is the task and no more."""
    folder = quick_checkout(tmp_path_factory.mktemp("pages"))
    (folder / "scripts").mkdir()
    bootstrap = folder / "scripts" / "bootstrap"
    bootstrap.write_text('#!/bin/sh\nexec .venv/bin/invoke "$@"\n')
    bootstrap.chmod(0o755)
    (folder / ".venv").symlink_to(BIN.parent)
    return folder


@pytest.fixture(scope="module")
def stack(stack_factory, checkout):
    stack = stack_factory(checkout=checkout, CHATWOOT_IMAGE=SANDBOX.older)
    stack.set_up()
    stack.write_row("before the backup")
    place, host, _ = open_session(REPOSITORY, str(stack.env_file))
    make_sample_data(open_with(place, host), host, "before the backup")
    return stack


def type_in(stack, commands, **environment):
    """Runs commands as typed at a terminal at which `yes` is the answer to every question."""
    ours, theirs = pty.openpty()
    os.write(ours, b"yes\n" * 4)
    with subprocess.Popen(
        ("sh", "-eu", "-c", commands),
        cwd=stack.checkout,
        env={**os.environ, **stack.environment, "HOME": str(stack.env_file.parent), **environment},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as shell:
        said = shell.communicate(timeout=240)[0]
    os.close(theirs)
    os.close(ours)
    assert shell.returncode == 0, said
    return said


def lose(stack, *settings):
    stack.invoke("down")
    docker("volume", "rm", *(stack.settings[name] for name in settings))


def stored_files(stack):
    """Names and checksums of what is in the storage volume."""
    mount, image = f"{stack.settings['CHATWOOT_STORAGE_VOLUME']}:/volume:ro", stack.settings["POSTGRES_IMAGE"]
    script = "cd /volume && find . -type f -exec md5sum {} + | sort"
    return docker("run", "--rm", "-v", mount, "--entrypoint", "sh", image, "-c", script).out.splitlines()


def newest_set(stack):
    return str(max((stack.env_file.parent / "backups").iterdir()))


def with_names(stack, commands):
    """The page's own example names, made those of the stack."""
    return commands.replace("infra/docker/chatwoot/backups/SET", newest_set(stack))


def test_back_up_makes_a_key_pair_and_sets_whose_settings_it_opens(stack):
    said = type_in(stack, commands_of(BACK_UP))
    key = stack.env_file.parent / "chatwoot-backup-key.txt"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stack.settings["BACKUP_RECIPIENTS"] in said
    assert key.read_text().splitlines()[-1] not in said
    assert "Read back: every checksum, the dump's table of contents" in said
    opened = with_names(stack, marked_block(KEY_LOST, "open_into"))
    type_in(stack, f"settings=$HOME/opened\n{opened}")
    assert (stack.env_file.parent / "opened").read_text() == stack.env_file.read_text()


def test_a_set_is_read_without_the_tool(stack):
    image = stack.settings["POSTGRES_IMAGE"]
    said = type_in(stack, commands_of(SET_FORMAT), SET=newest_set(stack), POSTGRES_IMAGE=image)
    names = [each.name for each in read_set(Path(newest_set(stack))).manifest.artifacts]
    assert re.findall(r"^(\S+) whole$", said, re.MULTILINE) == names
    assert re.search(r"^\d+ stored files are whole$", said, re.MULTILINE)
    assert "Format: CUSTOM" in said


def test_the_settings_are_found_again_in_the_containers(stack):
    lost = stack.settings
    type_in(stack, commands_of(KEY_LOST), COMPOSE_PROJECT_NAME=stack.project)
    found = stack.env_file.with_name(".env.found")
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    kept = dict(line.split("=", 1) for line in found.read_text().splitlines())
    example = (REPOSITORY / COMPOSE_FOLDER / ".env.example").read_text()
    of_backups = {
        setting.key for setting in parse_schema(example) if setting.group == "Backup" and lost.get(setting.key)
    }
    assert {key for key in lost if lost[key] and kept.get(key) != lost[key] and "_FAKE_" not in key} == {
        "POSTGRES_SUPERUSER_PASSWORD",
        "CHATWOOT_ADMIN_PASSWORD",
        *of_backups,
    }


def test_restore_brings_the_set_back_and_the_way_back_the_data_from_before(stack):
    stack.write_row("after the backup")
    said = type_in(stack, commands_of(RESTORE))
    assert "dry run: nothing was changed" in said
    assert "Restored 2" in said
    assert "The cluster before is initial." in said
    assert stack.rows() == ["after the backup", "before the backup"]


def test_volume_lost_brings_both_volumes_back(stack):
    lose(stack, "CHATWOOT_DB_VOLUME", "CHATWOOT_STORAGE_VOLUME")
    stack.invoke("up", code=11)
    docker("volume", "create", stack.settings["CHATWOOT_DB_VOLUME"])  # what plain Compose does before it is refused
    refused = stack.invoke("restore", "--set", "latest", "--yes", code=11)
    assert "carries no installation's mark" in refused.err
    said = type_in(stack, VALUE + marked_block(VOLUME_LOST, "docker volume rm") + commands_of(VOLUME_LOST))
    assert "sets in" in said
    assert stack.rows() == ["before the backup"]


def test_files_alone_and_redis_alone_are_made_anew(stack):
    stack.write_row("kept in the database")
    files = stored_files(stack)
    assert len(files) > 1
    lose(stack, "CHATWOOT_STORAGE_VOLUME", "CHATWOOT_REDIS_VOLUME")
    unpack = with_names(stack, marked_block(VOLUME_LOST, "remake()")).replace("scripts/bootstrap up\n", "")
    type_in(stack, VALUE + unpack + marked_block(VOLUME_LOST, "tar -c"))
    assert stored_files(stack) == files
    assert stack.rows() == ["before the backup", "kept in the database"]
    stack.invoke("smoke", "--quick")


def test_the_old_host_stops_and_the_new_one_has_only_a_set_and_the_key(stack, tmp_path):
    type_in(stack, commands_of(MOVE, "On the old host"))
    before = stack.env_file.read_text()
    there = shutil.copytree(newest_set(stack), tmp_path / "set")
    lose(stack, "CHATWOOT_DB_VOLUME", "CHATWOOT_STORAGE_VOLUME", "CHATWOOT_REDIS_VOLUME")
    stack.env_file.unlink()
    arrive = marked_block(MOVE, '--set "').replace("$HOME/20261124T023000Z-logical", str(there))
    type_in(stack, arrive)
    assert stack.env_file.read_text() == before
    assert stack.rows() == ["before the backup", "kept in the database"]


def test_upgrade_moves_on_and_rolls_back(stack):
    said = type_in(stack, commands_of(UPGRADE))
    assert "v4.15.1-ce serves." in said
    assert "v4.14.2-ce serves again with its data from before the upgrade" in said
    assert stack.settings["CHATWOOT_RELEASE"] == "v4.14.2-ce"


def test_a_failed_upgrade_is_looked_at_as_the_runbook_says(stack):
    rows = stack.rows()
    failed = stack.invoke("upgrade", "--to", "v4.15.2-ce", "--yes", code=23)
    assert "v4.14.2-ce serves with its data from before" in failed.err
    said = type_in(stack, commands_of(UPGRADE_FAILED))
    assert "No operation was cut off" in said
    assert "release    v4.14.2-ce" in said
    assert stack.rows() == rows
