"""The files that run tasks by themselves: whole, without a secret, and only where paths can stand in them."""

from pathlib import Path

import pytest

from chatwoot_ops.model import units
from chatwoot_ops.model.timetable import parse_times
from chatwoot_ops.model.units import CRON, MARK, SYSTEMD, Runner, all_files, engine_in, files_for

RUNNER = Runner("chatwoot", "/srv/chatwoot ops", "ada", "", "an-instance")
ENGINE = {"DOCKER_HOST": "unix:///run/user/1000/docker.sock", "DOCKER_CONFIG": "/srv/ada docker"}
TIMES = {"backup": parse_times("daily 02:30"), "prune": parse_times("weekly sun 05:30")}
SERVICE = f"""{MARK}
[Unit]
Description=Chatwoot chatwoot: backup
Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=oneshot
User=ada
WorkingDirectory=/srv/chatwoot ops
ExecStart="/srv/chatwoot ops/scripts/bootstrap" schedule --run backup
Nice=10
KillMode=mixed
TimeoutStopSec=120
"""
TIMER = f"""{MARK}
[Unit]
Description=Chatwoot chatwoot: prune, by itself

[Timer]
OnCalendar=Sun *-*-* 05:30:00
RandomizedDelaySec=15min
Persistent=true

[Install]
WantedBy=timers.target
"""


@pytest.fixture(autouse=True)
def _usual_folders(monkeypatch):
    monkeypatch.setattr(units, "SYSTEMD_FOLDER", Path("/etc/systemd/system"))
    monkeypatch.setattr(units, "CRON_FOLDER", Path("/etc/cron.d"))


def test_systemd_gets_a_service_and_a_timer_for_each_task():
    files = {str(path): text for path, text in files_for(SYSTEMD, RUNNER, TIMES).items()}
    assert sorted(files) == [
        "/etc/systemd/system/chatwoot-ops-backup.service",
        "/etc/systemd/system/chatwoot-ops-backup.timer",
        "/etc/systemd/system/chatwoot-ops-prune.service",
        "/etc/systemd/system/chatwoot-ops-prune.timer",
    ]
    assert files["/etc/systemd/system/chatwoot-ops-backup.service"] == SERVICE
    assert files["/etc/systemd/system/chatwoot-ops-prune.timer"] == TIMER


def test_cron_gets_one_file_with_a_line_for_each_task():
    ((path, text),) = files_for(CRON, RUNNER, TIMES).items()
    assert str(path) == "/etc/cron.d/chatwoot-ops"
    mark, shell, search, backup, prune = text.splitlines()
    assert (mark, shell) == (MARK, "SHELL=/bin/sh")
    assert "/usr/bin" in search
    minute, run = backup.split(" ", 1)
    assert 30 <= int(minute) < 45
    assert run == (
        "2 * * * ada cd '/srv/chatwoot ops' && "
        "scripts/bootstrap schedule --run backup 2>&1 | logger -t chatwoot-ops-backup"
    )
    assert prune.split(" ")[1:6] == ["5", "*", "*", "0", "ada"]
    assert text.endswith("\n"), "cron leaves out a last line without its end"


@pytest.mark.parametrize("manager", [SYSTEMD, CRON, ""])
def test_without_a_task_there_is_no_file(manager):
    assert files_for(manager, RUNNER, {}) == {}


def test_settings_that_are_not_the_usual_ones_are_named():
    runner = Runner("other", "/srv/x", "ada", "/srv/other stack/.env", "i")
    service = files_for(SYSTEMD, runner, TIMES)[Path("/etc/systemd/system/other-ops-backup.service")]
    assert '\nEnvironment="CHATWOOT_ENV_FILE=/srv/other stack/.env"\n' in service
    (cron,) = files_for(CRON, runner, TIMES).values()
    assert " && CHATWOOT_ENV_FILE='/srv/other stack/.env' scripts/bootstrap " in cron


def test_the_runs_find_the_engine_of_the_shell_that_installed_them():
    runner = Runner("other", "/srv/x", "ada", "/srv/o/.env", "i", {"DOCKER_HOST": "unix:///run/user/1000/docker.sock"})
    service = files_for(SYSTEMD, runner, TIMES)[Path("/etc/systemd/system/other-ops-backup.service")]
    assert (
        '\nEnvironment="CHATWOOT_ENV_FILE=/srv/o/.env"\nEnvironment="DOCKER_HOST=unix:///run/user/1000/docker.sock"\n'
        in service
    )
    (cron,) = files_for(CRON, runner, TIMES).values()
    carried = "CHATWOOT_ENV_FILE='/srv/o/.env' DOCKER_HOST='unix:///run/user/1000/docker.sock'"
    assert cron.count(f" && {carried} scripts/bootstrap ") == 2


@pytest.mark.parametrize("manager", [SYSTEMD, CRON])
@pytest.mark.parametrize("engine", [{}, ENGINE, {"DOCKER_CONTEXT": "rootless"}])
def test_the_engine_is_read_back_from_what_was_written(manager, engine):
    files = files_for(manager, Runner("p", "/srv/x", "ada", "/srv/o/.env", "i", engine), TIMES)
    assert [engine_in(text) for path, text in files.items() if path.suffix != ".timer"] in ([engine], [engine] * 2)
    assert all(not engine_in(text) for path, text in files.items() if path.suffix == ".timer")


def test_cron_would_not_read_a_file_with_a_dot_in_its_name():
    assert Runner("a.b", "/x", "ada", "", "i").cron_file.name == "a_b-ops"


@pytest.mark.parametrize("sign", ["%", "$", "'", '"', "\\", "\n", ";", "`", "#"])
def test_a_path_with_a_sign_that_units_or_cron_read_otherwise_is_found(sign):
    odd = f"/srv/a{sign}b"
    assert Runner("p", odd, "ada", "", "i").odd_values == (odd,)
    assert Runner("p", "/srv/x", "ada", odd, "i").odd_values == (odd,)
    assert Runner("p", "/srv/x", "ada", "", "i", {"DOCKER_HOST": odd}).odd_values == (odd,)


def test_usual_paths_are_not_odd():
    assert Runner("p", "/srv/Ügyfél szolgálat/a_b-c.d", "ada", "/srv/x/.env", "i", ENGINE).odd_values == ()


def test_every_file_that_is_written_is_known_as_one_that_may_be_ours():
    for manager in (SYSTEMD, CRON):
        assert set(files_for(manager, RUNNER, TIMES)) <= set(all_files(RUNNER, tuple(TIMES)))
