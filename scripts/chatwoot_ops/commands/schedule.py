"""What installs a schedule and runs a task of it; as root, with sudo in front where the caller is somebody else."""

from __future__ import annotations

from pathlib import Path

from chatwoot_ops.model.command import Command

# The program that the operator would type, without what asks.
TASKS: dict[str, tuple[str, ...]] = {
    "backup": ("backup",),
    "verify": ("verify",),
    "drill": ("drill",),
    "push-wal": ("push", "--wal"),
    "prune": ("prune", "--yes"),
    "prune-remote": ("prune", "--remote", "--yes"),
}


def setting_of(task: str) -> str:
    """The name of the setting that says when a task runs."""
    return f"{task.upper().replace('-', '_')}_SCHEDULE"


def scheduled_task(python: Path, repository: Path, env_file: Path, task: str, *flags: str) -> Command:
    """The task itself, by the Python that runs this."""
    argv = (str(python), "-m", "invoke", "--search-root", str(repository), *TASKS[task], *flags)
    return Command(argv, f"Running {task}", environment={"CHATWOOT_ENV_FILE": str(env_file)})


def may_become_root(sudo: tuple[str, ...]) -> Command:
    """Ends with 0 where the files can be written."""
    return Command((*sudo, "true"), "Asking for the right to write system files")


def partial_of(path: Path) -> Path:
    """Where a file is written before it gets its name; systemd and cron read no file that is called so."""
    return path.with_name(f".{path.name}.partial")


def write_system_file(sudo: tuple[str, ...], path: Path, content: str) -> tuple[Command, ...]:
    """Replaces a file in one step, durably."""
    partial, purpose = partial_of(path), f"Writing {path}"
    return (
        Command((*sudo, "install", "-m", "0644", "/dev/stdin", str(partial)), purpose, stdin=content),
        Command((*sudo, "sync", str(partial)), purpose),
        Command((*sudo, "mv", "-fT", str(partial), str(path)), purpose),
        Command((*sudo, "sync", str(path.parent)), purpose),
    )


def remove_system_files(sudo: tuple[str, ...], *paths: Path) -> Command:
    """Removes files; one that is not there is no error."""
    return Command((*sudo, "rm", "-f", *map(str, paths)), "Removing files of the schedule")


def systemctl(sudo: tuple[str, ...], *words: str) -> Command:
    """Tells systemd."""
    return Command((*sudo, "systemctl", *words), f"Telling systemd: {words[0]}")
