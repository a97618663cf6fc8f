"""No secret is seen during a rehearsal, and nothing is left of one, however it ends.

Every process's arguments are sampled while it runs; its containers' logs and its files are read before they go.
"""

import os
import signal
import stat
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.lock import lock_path
from chatwoot_ops.operations.secrets import GENERATED
from stack.tools import BIN, HEEDING_CTRL_C, REPOSITORY, docker, wait_for

PREFIX = "chatwoot-rehearsal-"
EVERY_SECONDS = 0.05
REHEARSE = (str(BIN / "invoke"), "rehearse", "--images", "sandbox")


class Sampler:
    """Remembers the argument list of every process that it saw."""

    def __init__(self):
        self.seen, self.samples, self.over = set(), 0, threading.Event()

    def sample(self):
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            # A process that ended meanwhile.
            with suppress(OSError):
                self.seen.add(process.read_bytes())
        self.samples += 1

    def go_on(self):
        while not self.over.wait(EVERY_SECONDS):
            self.sample()

    def holds(self, secret):
        return any(secret.encode() in arguments for arguments in self.seen)


@contextmanager
def sampling():
    sampler = Sampler()
    thread = threading.Thread(target=sampler.go_on)
    thread.start()
    try:
        yield sampler
    finally:
        sampler.over.set()
        thread.join()


@contextmanager
def rehearsal(*flags):
    """A rehearsal in a process group of its own."""
    with subprocess.Popen(
        (*HEEDING_CTRL_C, *REHEARSE, *flags),
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as task:
        try:
            yield task
        finally:
            if task.poll() is None:
                os.killpg(task.pid, signal.SIGINT)


def folder_of(task):
    """The folder of this rehearsal's files; its name begins with the project's."""
    holder = f'"process": {task.pid}'
    found = []

    def there():
        locks = list(lock_path(PREFIX).parent.glob(f"chatwoot-ops-{PREFIX}*.run.lock"))
        mine = [file.name for file in locks if holder in read(file)]
        names = [name.removeprefix("chatwoot-ops-").removesuffix(".run.lock") for name in mine]
        found[:] = [folder for name in names for folder in Path(tempfile.gettempdir()).glob(f"{name}.*")]
        return found and (found[0] / ".env").exists()

    wait_for(there, "the rehearsal's folder", 60)
    return found[0]


def read(file):
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def project_of(folder):
    return folder.name.partition(".")[0]


def leftovers(project):
    """Everything of a rehearsal that is there."""
    label = f"label=com.docker.compose.project={project}"
    return {
        "containers": docker("ps", "-aq", "--filter", label).out.split(),
        "volumes": docker("volume", "ls", "-q", "--filter", f"name={project}").out.split(),
        "networks": docker("network", "ls", "-q", "--filter", f"name={project}").out.split(),
        "files": list(Path(tempfile.gettempdir()).glob(f"{project}.*")),
        "locks": list(lock_path(project).parent.glob(f"chatwoot-ops-{project}*")),
    }


def nothing_left(project):
    return not any(leftovers(project).values())


def container_there(project):
    return lambda: leftovers(project)["containers"]


# Whole copies of .env, for the way back of a restore and of an upgrade: as secret as .env itself, and kept like it.
KEPT_SETTINGS = "env-before-"


def mode_of(file):
    """The rights of a file, None where it is gone already."""
    with suppress(FileNotFoundError):
        return stat.S_IMODE(file.stat().st_mode)
    return None


class Watch:
    """What a rehearsal's containers logged and its files held, read again and again until they are gone."""

    def __init__(self, folder):
        self.folder, self.project = folder, project_of(folder)
        self.values, self.logs, self.files, self.kept = {}, {}, {}, {}

    def look(self):
        if (self.folder / ".env").exists():
            with suppress(Exception):
                self.values.update(read_env_file(self.folder / ".env").values)
        for file in self.folder.glob("state/*"):
            if file.name.startswith(KEPT_SETTINGS):
                self.kept[file.name] = mode_of(file) or self.kept.get(file.name, 0o600)
                continue
            self.files[file.name] = read(file) or self.files.get(file.name, "")
        for container in leftovers(self.project)["containers"]:
            done = docker("logs", container, check=False)
            self.logs[container] = max(self.logs.get(container, ""), done.said, key=len)


@pytest.fixture(scope="module")
def watched(request):
    """One whole rehearsal, with all that could be seen of it."""
    request.getfixturevalue("images")
    with sampling() as sampler, rehearsal() as task:
        watch = Watch(folder_of(task))
        reader = threading.Thread(target=lambda: setattr(watch, "out", task.stdout.read()))
        reader.start()
        while task.poll() is None:
            watch.look()
            time.sleep(1)
        reader.join()
    return task, watch, sampler


def secrets_of(watch):
    found = {key: watch.values.get(key, "") for key in GENERATED}
    assert all(len(value) >= 40 for value in found.values()), found.keys()
    return found


def test_the_rehearsal_passed(watched):
    task, watch, _ = watched
    assert task.returncode == 0, watch.out
    assert "The rehearsal passed on sandbox images" in watch.out


def test_the_sampler_sees_a_secret_that_is_put_into_an_argv():
    with sampling() as sampler, subprocess.Popen(("sh", "-c", "sleep 30; : made-up-secret-in-argv")) as bad:
        wait_for(lambda: sampler.holds("made-up-secret-in-argv"), "seen", 5)
        bad.kill()
    assert not sampler.holds("a-secret-that-nobody-wrote")


def test_copies_of_the_settings_kept_for_the_way_back_are_their_owners_alone(watched):
    _, watch, _ = watched
    kept = watch.kept
    assert set(kept) >= {"env-before-restore", "env-before-upgrade"}
    assert set(kept.values()) == {0o600}


@pytest.mark.parametrize("name", GENERATED)
def test_no_secret_is_in_any_argv_output_log_or_state_file(watched, name):
    _, watch, sampler = watched
    secret = secrets_of(watch)[name]
    assert sampler.samples > 200
    assert len(watch.logs) >= 4
    assert {"ledger.jsonl"} <= set(watch.files)
    assert not sampler.holds(secret)
    assert secret not in watch.out
    assert [key for key, text in (watch.logs | watch.files).items() if secret in text] == []


def test_after_success_nothing_is_left(watched):
    assert nothing_left(watched[1].project), leftovers(watched[1].project)


@pytest.mark.usefixtures("images")
def test_after_ctrl_c_nothing_is_left():
    with rehearsal("--quick") as task:
        project = project_of(folder_of(task))
        wait_for(container_there(project), "containers", 60)
        os.killpg(task.pid, signal.SIGINT)
        out, _ = task.communicate(timeout=120)
    assert task.returncode == 130, out
    assert nothing_left(project), leftovers(project)


@pytest.mark.usefixtures("images")
def test_what_a_killed_one_left_is_swept_by_the_next_which_leaves_a_running_one_alone():
    with rehearsal("--quick") as killed:
        dead = project_of(folder_of(killed))
        wait_for(container_there(dead), "containers", 60)
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert leftovers(dead)["volumes"]
    with rehearsal("--quick") as running:
        alive = project_of(folder_of(running))
        assert nothing_left(dead), leftovers(dead)
        wait_for(container_there(alive), "containers", 60)
        with rehearsal("--quick") as other:
            folder_of(other)
            assert leftovers(alive)["containers"]
            os.killpg(other.pid, signal.SIGINT)
            other.communicate(timeout=120)
        assert leftovers(alive)["containers"]
        os.killpg(running.pid, signal.SIGINT)
        running.communicate(timeout=120)
    assert nothing_left(alive), leftovers(alive)
