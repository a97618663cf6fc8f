"""The schedule with real programs: systemd judges the units and the calendar, and files are really installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import datetime
from itertools import islice
from pathlib import Path

import pytest

from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.machine import Machine
from chatwoot_ops.errors import PreflightFailedError
from chatwoot_ops.model import units
from chatwoot_ops.model.timetable import next_runs, on_calendar, parse_times
from chatwoot_ops.model.units import MARK
from chatwoot_ops.operations.schedule import INSTALLED, NOT_INSTALLED
from chatwoot_ops.operations.schedule_install import install_schedule
from fakes import RecordingReporter
from world import INSTANCE, stack_in

BIN = Path(__file__).with_name("bin")
FORMS = (
    *("hourly 15", "hourly 00", "daily 02:30", "daily 23:59"),
    *("weekly sun 04:00", "weekly wed 00:00", "monthly 1 05:00", "monthly 28 12:00"),
)


class AsRoot(Machine):
    """This machine as seen by somebody who needs no sudo."""

    def __init__(self, runs_tasks):
        self.runs_tasks = runs_tasks

    def account(self):
        return "root"

    def owner(self, _path):
        return "root"

    def scheduler(self):
        return self.runs_tasks


@pytest.fixture
def folders(monkeypatch, tmp_path):
    made = {}
    for name in ("SYSTEMD_FOLDER", "CRON_FOLDER"):
        made[name] = tmp_path / name.lower()
        made[name].mkdir()
        monkeypatch.setattr(units, name, made[name])
    return made


@pytest.fixture
def told(monkeypatch, tmp_path):
    """A systemctl that notes what it is told, and an engine that answers at an address of its own."""
    programs, file = tmp_path / "programs", tmp_path / "told"
    programs.mkdir()
    file.touch()
    (programs / "systemctl").write_text(f'#!/bin/sh\necho "$*" >>"{file}"\n')
    (programs / "docker").write_text('#!/bin/sh\ntest "$DOCKER_HOST" = unix:///run/ours.sock && echo 27.5.1\n')
    for name in ("systemctl", "docker"):
        (programs / name).chmod(0o755)
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/ours.sock")
    monkeypatch.setenv("PATH", f"{programs}:{BIN}:{os.environ['PATH']}")
    return file


def host_of(runs_tasks):
    return Host(Path("/x/docker-compose"), clock=Clock(), machine=AsRoot(runs_tasks), reporter=RecordingReporter())


@pytest.fixture
def stack(tmp_path):
    odd = tmp_path / "settings of ours"
    odd.mkdir()
    return stack_in(odd, CHATWOOT_INSTANCE_ID=INSTANCE, VERIFY_SCHEDULE="weekly sun 04:00", PRUNE_SCHEDULE="hourly 05")


def analyze(*words):
    program = shutil.which("systemd-analyze")
    assert program, "these tests need systemd-analyze: apt-get install --no-install-recommends systemd"
    return subprocess.run((program, *words), capture_output=True, text=True, check=False)


def test_the_installed_units_pass_systemd_analyze_verify(stack, folders, told):
    done = install_schedule(stack, host_of("systemd"), yes=True)
    assert done.state == INSTALLED
    files = sorted(folders["SYSTEMD_FOLDER"].iterdir())
    assert len(files) == 6
    services = [path.read_text() for path in files if path.suffix == ".service"]
    assert all('\nEnvironment="DOCKER_HOST=unix:///run/ours.sock"\n' in text for text in services)
    assert {path.stat().st_mode & 0o777 for path in files} == {0o644}
    judged = analyze("verify", *map(str, files))
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


def test_verify_would_have_found_a_unit_that_is_wrong(stack, folders, told):
    install_schedule(stack, host_of("systemd"), yes=True)
    for name, there, instead in (
        ("chatwoot-ops-backup.service", "scripts/bootstrap", "scripts/boot"),
        ("chatwoot-ops-prune.timer", "OnCalendar=", "OnCalendar=sometimes "),
    ):
        path = folders["SYSTEMD_FOLDER"] / name
        whole = path.read_text()
        path.write_text(whole.replace(there, instead))
        judged = analyze("verify", str(path))
        assert judged.returncode or judged.stderr, name
        path.write_text(whole)


@pytest.mark.parametrize("text", FORMS)
def test_systemd_means_the_same_moments_as_we_do(text):
    times, after = parse_times(text), datetime(2026, 11, 24, 8, 0)  # noqa: DTZ001 - local time
    judged = analyze("calendar", "--iterations=4", "--base-time=2026-11-24 08:00:00", on_calendar(times))
    marks = ("Next elapse:", "Iter.", "Iteration")
    lines = [line.split(": ", 1)[1] for line in judged.stdout.splitlines() if line.strip().startswith(marks)]
    found = [" ".join(line.split()[1:3]) for line in lines]
    assert found == [each.strftime("%Y-%m-%d %H:%M:%S") for each in islice(next_runs(times, after), 4)]


def test_systemd_is_told_once_the_files_are_there_and_before_they_go(stack, folders, told):
    names = " ".join(f"chatwoot-ops-{task}.timer" for task in ("backup", "verify", "prune"))
    install_schedule(stack, host_of("systemd"), yes=True)
    assert told.read_text().splitlines() == ["daemon-reload", f"enable {names}", f"restart {names}"]
    told.write_text("")
    assert install_schedule(stack, host_of("systemd"), remove=True, yes=True).state == NOT_INSTALLED
    assert told.read_text().splitlines() == [f"disable --now {names}", "daemon-reload"]
    assert list(folders["SYSTEMD_FOLDER"].iterdir()) == []


def test_where_no_engine_answers_nothing_is_installed(stack, folders, told, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "unix:///run/nobodys.sock")
    with pytest.raises(PreflightFailedError) as caught:
        install_schedule(stack, host_of("systemd"), yes=True)
    assert caught.value.details[0].startswith("DOCKER_HOST=unix:///run/nobodys.sock: no engine answers")
    assert list(folders["SYSTEMD_FOLDER"].iterdir()) == []


def test_cron_gets_its_file_in_one_step_and_loses_it(stack, folders, told):
    install_schedule(stack, host_of("cron"), yes=True)
    (file,) = folders["CRON_FOLDER"].iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("chatwoot-ops", 0o644)
    assert file.read_text().startswith(MARK)
    install_schedule(stack, host_of("cron"), remove=True, yes=True)
    assert list(folders["CRON_FOLDER"].iterdir()) == []
    assert told.read_text() == ""


def test_a_machine_knows_its_accounts_and_what_runs_tasks():
    machine = Machine()
    assert machine.account()
    assert machine.owner(Path("/")) == "root"
    assert machine.scheduler() in {"systemd", "cron", ""}
