"""scripts/bootstrap in a copy of the repository whose path has spaces: fake Pythons, one real run."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REAL_PROGRAMS = [
    *("cat", "chmod", "cp", "env", "flock", "grep", "head", "id", "mkdir", "readlink"),
    *("rm", "sed", "sh", "sha256sum", "sleep", "true"),
]
# Answers what bootstrap asks of a Python; its venv is a copy of itself, its pip brings a fake invoke and nox.
FAKE_PYTHON = """#!/bin/sh
echo "python $*" >>"$CALLS"
case "$*" in
    *sys.version_info\\ \\<*) exit "${UNFIT:-0}" ;;
    *print*) echo "${VERSION:-3.14}" ;;
    "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
    "-m pip "*)
        sleep "${PIP_SECONDS:-0}"
        [ -z "${PIP_FAILS:-}" ] || exit 1
        for name in invoke nox; do cp "$FAKE_TASK" "${0%/*}/$name"; done ;;
esac
"""
FAKE_TASK = """#!/bin/sh
flock -n "$LOCK_FILE" true && lock=free || lock=held
printf '%s|' "${0##*/}" "$(pwd -P)" "$lock" "${PATH%%:*}" "$@"
exit "${TASK_EXIT:-0}"
"""


class Checkout:
    """A copy of the repository with a PATH of its own."""

    def __init__(self, root: Path):
        self.root, self.bin, self.calls = root / "a check out", root / "bin", root / "calls"
        self.elsewhere = root / "else where"
        self.venv = self.root / ".venv"
        shutil.copytree(ROOT / "scripts", self.root / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
            shutil.copy(ROOT / name, self.root)
        self.bin.mkdir()
        self.elsewhere.mkdir()
        self.calls.touch()
        for name in REAL_PROGRAMS:
            self.has(name, f'#!/bin/sh\nexec {shutil.which(name)} "$@"\n')
        self.has("fake-task", FAKE_TASK)
        self.engine("echo engine >>$CALLS")

    def has(self, name, text):
        """Never a link to the real program: writing over it would change the machine."""
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def engine(self, script):
        program = self.root / "scripts" / "install-docker"
        program.write_text(f"#!/bin/sh\n{script}\n")

    def environment(self, **settings):
        fixed = {"CALLS": self.calls, "FAKE_TASK": self.bin / "fake-task"}
        return {"PATH": self.bin, "LOCK_FILE": self.root / "requirements.lock"} | fixed | settings

    def start(self, *arguments, **settings):
        return subprocess.Popen(
            [self.root / "scripts" / "bootstrap", *arguments],
            env=self.environment(**settings),
            cwd=self.elsewhere,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments, **settings):
        with self.start(*arguments, **settings) as process:
            out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def called(self):
        """What was asked since the last question, in one word each."""
        words = {
            "-m venv": "venv",
            "--require-hashes": "packages",
            "--editable": "project",
            "engine": "engine",
        }
        lines = self.calls.read_text().splitlines()
        self.calls.write_text("")
        words["engine"] = "engine"
        return [word for line in lines for sign, word in words.items() if sign in line]


@pytest.fixture
def checkout(tmp_path):
    checkout = Checkout(tmp_path)
    checkout.has("python3", FAKE_PYTHON)
    return checkout


@pytest.fixture
def ready(checkout):
    assert checkout.run("status").returncode == 0
    checkout.called()
    return checkout


def test_a_first_run_makes_the_environment_sees_to_the_engine_and_runs_the_task(checkout):
    done = checkout.run("status", "--set", "a b")
    assert done.returncode == 0, done.stderr
    assert checkout.called() == ["venv", "packages", "project", "engine"]
    name, folder, _, first_on_path, *arguments = done.stdout.split("|")[:-1]
    assert (name, folder) == ("invoke", str(checkout.elsewhere))
    assert first_on_path == str(checkout.venv / "bin")
    assert arguments == ["--search-root", str(checkout.root), "status", "--set", "a b"]


def test_a_second_run_installs_nothing_and_says_nothing(ready):
    done = ready.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    assert ready.called() == ["engine"]


def test_the_exit_code_of_the_task_is_passed_through(ready):
    assert ready.run("status", TASK_EXIT="25").returncode == 25


def test_the_task_does_not_hold_the_lock(checkout):
    assert "|free|" in checkout.run("status").stdout


def test_it_works_through_a_link(ready):
    (ready.elsewhere / "cw").symlink_to(ready.root / "scripts" / "bootstrap")
    done = subprocess.run(
        ["./cw", "status"], cwd=ready.elsewhere, env=ready.environment(), check=False, capture_output=True
    )
    assert done.returncode == 0
    assert ready.called() == ["engine"]


def test_test_runs_nox_in_the_root_of_the_repository(ready):
    done = ready.run("test", "-s", "lint")
    name, folder, _, _, *arguments = done.stdout.split("|")[:-1]
    assert (name, folder, arguments) == ("nox", str(ready.root), ["-s", "lint"])
    assert ready.called() == ["engine"]


@pytest.mark.parametrize("arguments", [["--list"], ["-l"], ["secrets"], ["setup", "--help"], ["test", "--list"]])
def test_what_needs_no_engine_does_not_ask_for_one(ready, arguments):
    ready.engine("exit 11")
    assert ready.run(*arguments).returncode == 0


@pytest.mark.parametrize("code", [11, 24])
def test_without_an_engine_the_task_does_not_run(ready, code):
    ready.engine(f"echo no engine >&2; exit {code}")
    done = ready.run("status")
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "no engine\n")


def test_no_task_is_wrong_usage_and_touches_nothing(checkout):
    done = checkout.run()
    assert done.returncode == 1
    assert "scripts/bootstrap TASK" in done.stderr
    assert not checkout.venv.exists()


@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock"])
def test_a_changed_input_brings_the_environment_up_to_date_in_place(ready, name):
    with (ready.root / name).open("a") as file:
        file.write("# changed\n")
    (ready.venv / "kept").touch()
    assert ready.run("status").returncode == 0
    assert ready.called() == ["packages", "project", "engine"]
    assert (ready.venv / "kept").exists()


def test_another_python_behind_the_same_link_makes_the_environment_anew(ready):
    (ready.venv / "kept").touch()
    assert ready.run("status", VERSION="3.15").returncode == 0
    assert ready.called()[0] == "venv"
    assert not (ready.venv / "kept").exists()


def test_a_moved_checkout_makes_its_environment_anew(ready):
    moved = ready.root.rename(ready.root.with_name("moved away"))
    ready.root, ready.venv = moved, moved / ".venv"
    assert ready.run("status").returncode == 0
    assert ready.called()[0] == "venv"


def test_a_python_that_went_away_makes_the_environment_anew(ready):
    (ready.venv / "bin" / "python").unlink()
    assert ready.run("status").returncode == 0
    assert ready.called()[0] == "venv"


def test_packages_that_do_not_install_end_it_with_24_and_the_next_run_repairs(checkout):
    assert checkout.run("status", PIP_FAILS="1").returncode == 24
    checkout.called()
    assert checkout.run("status").returncode == 0
    assert checkout.called() == ["venv", "packages", "project", "engine"]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_cut_off_is_repaired_by_the_next(checkout, end):
    with checkout.start("status", PIP_SECONDS="30") as process:
        wait_for(lambda: "-m pip" in checkout.calls.read_text())
        os.killpg(process.pid, end)
    assert process.returncode == -end
    checkout.called()
    assert checkout.run("status").returncode == 0
    assert checkout.called() == ["venv", "packages", "project", "engine"]


def test_an_update_in_place_that_is_cut_off_makes_the_environment_anew(ready):
    (ready.root / "pyproject.toml").write_text("")
    assert ready.run("status", PIP_FAILS="1").returncode == 24
    ready.called()
    assert ready.run("status").returncode == 0
    assert ready.called() == ["venv", "packages", "project", "engine"]


def test_two_at_once_make_one_environment(checkout):
    with (
        checkout.start("status", PIP_SECONDS="0.5") as one,
        checkout.start("status", PIP_SECONDS="0.5") as two,
    ):
        errors = [process.communicate(timeout=60)[1] for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0), errors
    assert sorted(checkout.called()) == ["engine", "engine", "packages", "project", "venv"]
    assert sum("waiting for another bootstrap" in error for error in errors) == 1


def test_a_newer_python_is_found_before_an_unfit_one(checkout):
    checkout.has("python3", "#!/bin/sh\nexit 1\n")
    checkout.has("python3.12", FAKE_PYTHON)
    done = checkout.run("status")
    assert done.returncode == 0
    assert "making .venv with python3.12" in done.stderr


def without_python(checkout, os_release="ID=debian\n"):
    """Its user is not root; what apt-get installs is a Python that fits."""
    (checkout.bin / "python3").unlink()
    checkout.has("fresh-python", FAKE_PYTHON)
    checkout.has("apt-get", f'#!/bin/sh\necho "apt-get $*" >>"$CALLS"\ncp fresh-python "{checkout.bin}/python3"\n')
    checkout.has("id", "#!/bin/sh\necho 1000\n")
    checkout.has("sudo", '#!/bin/sh\nshift\ncd "${0%/*}" && exec "$@"\n')
    (checkout.elsewhere / "os-release").write_text(os_release)
    return {"OS_RELEASE_FILE": str(checkout.elsewhere / "os-release")}


def test_a_missing_python_is_installed(checkout):
    settings = without_python(checkout)
    done = checkout.run("status", **settings)
    assert done.returncode == 0, done.stderr
    assert "install python3 python3-venv" in checkout.calls.read_text()


@pytest.mark.parametrize(
    ("os_release", "packages"),
    [
        ("ID=debian\n", "python3 python3-venv"),
        ('ID=ubuntu\nVERSION_ID="22.04"\n', "python3.11 python3.11-venv"),
    ],
)
def test_who_may_not_install_python_is_told_the_exact_command(checkout, os_release, packages):
    settings = without_python(checkout, os_release)
    checkout.has("sudo", "#!/bin/sh\nexit 1\n")
    done = checkout.run("status", **settings)
    assert done.returncode == 11
    assert f"sudo apt-get update && sudo apt-get install -y {packages}\n" in done.stderr
    assert not checkout.venv.exists()


def test_a_package_that_is_too_old_ends_it_with_11(checkout):
    settings = without_python(checkout)
    checkout.has("fresh-python", "#!/bin/sh\nexit 1\n")
    done = checkout.run("status", **settings)
    assert done.returncode == 11
    assert "this system's package is older" in done.stderr


def test_a_system_without_apt_is_told_what_is_needed(checkout):
    (checkout.bin / "python3").unlink()
    done = checkout.run("status")
    assert done.returncode == 11
    assert "Python 3.11 or newer with venv is needed" in done.stderr


def test_a_real_environment_works_and_is_quick_and_offline_the_second_time(tmp_path):
    """The one real run: about 20 s, most of it pip."""
    checkout = Checkout(tmp_path)
    (checkout.root / "tasks.py").write_text(
        "import os, chatwoot_ops\nfrom invoke import task\n\n@task\ndef where(c):\n    print(os.getcwd())\n"
    )
    settings = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    first = checkout.run("where", **settings)
    assert (first.returncode, first.stdout) == (0, f"{checkout.elsewhere}\n"), first.stderr
    nowhere = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "PIP_NO_INDEX": "1"}
    began = time.monotonic()
    second = checkout.run("where", **settings | nowhere)
    assert (second.returncode, second.stderr) == (0, "")
    assert time.monotonic() - began < 2


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
