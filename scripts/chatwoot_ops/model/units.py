"""The files that make a machine run a task by itself: systemd units, or one file for cron."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chatwoot_ops.model.timetable import JITTER_MINUTES, Times, cron_fields, jitter, on_calendar

SYSTEMD, CRON = "systemd", "cron"
SYSTEMD_FOLDER, CRON_FOLDER = Path("/etc/systemd/system"), Path("/etc/cron.d")
MARK = "# Written by 'invoke schedule --install'; change .env and run it again."
# What decides which engine the Docker client of a shell speaks to; the context in use lies in the owner's own folder.
ENGINE_VARIABLES = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_CARRIED = re.compile(rf"""\b({"|".join(ENGINE_VARIABLES)})='?([^'"\n]+)""")
# systemd and cron each have their own meaning for %, $, quotes and backslashes.
_PLAIN = re.compile(r"[\w./@+,:=~ -]+")


@dataclass(frozen=True, slots=True)
class Runner:
    """Who runs what: the project, the checkout's folder and owner, and the settings file unless it is the usual one.

    `engine` are the variables of the shell that say which engine its Docker client speaks to.
    """

    project: str
    folder: str
    owner: str
    env_file: str
    instance: str
    engine: Mapping[str, str] = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, str]:
        """What each run finds in its environment."""
        return {**({"CHATWOOT_ENV_FILE": self.env_file} if self.env_file else {}), **self.engine}

    @property
    def odd_values(self) -> tuple[str, ...]:
        """Paths and values that cannot stand in a unit or a cron file as they are."""
        return tuple(each for each in (self.folder, *self.variables.values()) if not _PLAIN.fullmatch(each))

    def name(self, task: str) -> str:
        """The name of a task's units, without what follows the dot."""
        return f"{self.project}-ops-{task}"

    @property
    def cron_file(self) -> Path:
        """One file for all tasks; cron reads no file with a dot in its name."""
        return CRON_FOLDER / f"{self.project}-ops".replace(".", "_")


def all_files(runner: Runner, tasks: tuple[str, ...]) -> tuple[Path, ...]:
    """Every file that may be ours, for either manager."""
    units = (SYSTEMD_FOLDER / f"{runner.name(task)}.{kind}" for task in tasks for kind in ("service", "timer"))
    return (*units, runner.cron_file)


def engine_in(text: str) -> dict[str, str]:
    """The variables of the engine that a service or the cron file carries."""
    return dict(_CARRIED.findall(text))


def files_for(manager: str, runner: Runner, timetable: dict[str, Times]) -> dict[Path, str]:
    """What is to be written, by path; nothing where no task is scheduled."""
    if manager == CRON:
        return {runner.cron_file: _cron(runner, timetable)} if timetable else {}
    files = {}
    for task, times in timetable.items():
        files[SYSTEMD_FOLDER / f"{runner.name(task)}.service"] = _service(runner, task)
        files[SYSTEMD_FOLDER / f"{runner.name(task)}.timer"] = _timer(runner, task, times)
    return files


def _service(runner: Runner, task: str) -> str:
    environment = "".join(f'Environment="{name}={value}"\n' for name, value in runner.variables.items())
    # KillMode: the task itself ends what it has started, as after Ctrl-C.
    return f"""{MARK}
[Unit]
Description=Chatwoot {runner.project}: {task}
Wants=network-online.target
After=network-online.target docker.service

[Service]
Type=oneshot
User={runner.owner}
WorkingDirectory={runner.folder}
{environment}ExecStart="{runner.folder}/scripts/bootstrap" schedule --run {task}
Nice=10
KillMode=mixed
TimeoutStopSec=120
"""


def _timer(runner: Runner, task: str, times: Times) -> str:
    # Persistent: what was due while the machine was off runs when it is on again.
    return f"""{MARK}
[Unit]
Description=Chatwoot {runner.project}: {task}, by itself

[Timer]
OnCalendar={on_calendar(times)}
RandomizedDelaySec={JITTER_MINUTES}min
Persistent=true

[Install]
WantedBy=timers.target
"""


def _cron(runner: Runner, timetable: dict[str, Times]) -> str:
    environment = "".join(f"{name}='{value}' " for name, value in runner.variables.items())
    lines = []
    for task, times in timetable.items():
        when = cron_fields(times, jitter(times, runner.instance, task))
        run = f"{environment}scripts/bootstrap schedule --run {task} 2>&1 | logger -t {runner.name(task)}"
        lines.append(f"{when} {runner.owner} cd '{runner.folder}' && {run}\n")
    head = f"{MARK}\nSHELL=/bin/sh\nPATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
    return head + "".join(lines)
