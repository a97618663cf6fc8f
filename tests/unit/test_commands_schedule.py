"""Golden command lines of the schedule; content travels by standard input, and sudo never asks."""

from pathlib import Path

from chatwoot_ops.commands import schedule
from fakes import shown

SUDO = ("sudo", "-n")
UNIT = Path("/etc/systemd/system/x.timer")
PARTIAL = "/etc/systemd/system/.x.timer.partial"


def test_the_schedule_is_written_so():
    commands = schedule.write_system_file(SUDO, UNIT, "text")
    assert [shown(command) for command in commands] == [
        f"sudo -n install -m 0644 /dev/stdin {PARTIAL}",
        f"sudo -n sync {PARTIAL}",
        f"sudo -n mv -fT {PARTIAL} {UNIT}",
        "sudo -n sync /etc/systemd/system",
    ]
    assert [command.stdin for command in commands] == ["text", None, None, None]


def test_the_other_lines_are_these():
    assert shown(schedule.may_become_root(SUDO)) == "sudo -n true"
    assert shown(schedule.may_become_root(())) == "true"
    assert shown(schedule.remove_system_files(SUDO, UNIT, Path("/y"))) == f"sudo -n rm -f {UNIT} /y"
    assert shown(schedule.systemctl((), "enable", "x.timer")) == "systemctl enable x.timer"
    task = schedule.scheduled_task(Path("/v/python"), Path("/repo"), Path("/s/.env"), "prune")
    assert shown(task) == "/v/python -m invoke --search-root /repo prune --yes"
    assert task.environment == {"CHATWOOT_ENV_FILE": "/s/.env"}
