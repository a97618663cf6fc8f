"""scripts/install-docker on machines that do not exist: a folder of fake programs is its whole PATH."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "install-docker"
REAL_PROGRAMS = ["cat", "cut", "env", "grep", "printf", "rm", "sed", "setsid", "sh", "sleep", "tail", "true"]
ENGINE_IS_UP = "echo 20.10.24; exit 0"
ENGINE_IS_DOWN = "echo 'Cannot connect to the Docker daemon' >&2; exit 1"
ENGINE_FORBIDS = "echo 'Got permission denied while trying to connect to the socket' >&2; exit 1"


class Machine:
    """A machine made of fake programs, each of which writes down how it was called."""

    def __init__(self, root: Path):
        self.bin, self.calls = root / "bin", root / "calls"
        self.run_dir, self.log = root / "run", root / "dockerd.log"
        self.os_release, self.systemd = root / "os-release", root / "systemd"
        self.bin.mkdir()
        self.run_dir.mkdir()
        self.calls.touch()
        self.os_release.write_text("ID=debian\n")
        for name in REAL_PROGRAMS:
            self.has_real(name)

    def has(self, name, script="exit 0"):
        self.write(name, f'echo "{name} $*" >>"{self.calls}"\n{script}')

    def has_real(self, name):
        """By a script, never a link: writing over a link would change the real program."""
        self.write(name, f'exec {shutil.which(name)} "$@"')

    def write(self, name, script):
        (self.bin / name).write_text(f"#!/bin/sh\n{script}\n")
        (self.bin / name).chmod(0o755)

    def user_is(self, name, uid):
        self.has("id", f'[ "$1" = -u ] && echo {uid} || echo {name}')

    def called(self):
        """What was run apart from what only looks."""
        looks = ("docker ", "made-docker ", "id ", "apt-cache ")
        return [line for line in self.calls.read_text().splitlines() if not line.startswith(looks)]

    def install(self, *arguments, **settings):
        files = {"OS_RELEASE_FILE": self.os_release, "SYSTEMD_DIR": self.systemd, "DOCKERD_LOG": self.log}
        environment = {"PATH": self.bin, "DOCKER_RUN_DIR": self.run_dir, "DOCKER_START_SECONDS": "3"}
        return subprocess.run(
            [SCRIPT, *arguments],
            env=environment | files | settings,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


@pytest.fixture
def bare(machine):
    """A Debian without Docker, root, no systemd: what apt-get installs answers once dockerd ran."""
    up = machine.run_dir / "up"
    docker = f'[ -e "{up}" ] && {{ {ENGINE_IS_UP}; }}; {ENGINE_IS_DOWN}'
    machine.user_is("root", 0)
    machine.has("apt-cache", "exit 1")
    machine.has("made-docker", docker)
    machine.has("made-dockerd", f'echo "$@" >"{up}"; echo started')
    put = f'ln -s made-docker "{machine.bin}/docker"; ln -s made-dockerd "{machine.bin}/dockerd"'
    machine.has("apt-get", f'case "$*" in *" install "*) {put} ;; esac')
    machine.has("systemctl", f'echo >"{up}"')
    machine.has_real("ln")
    return machine


@pytest.mark.parametrize("version", ["20.10.0", "20.10.24+dfsg1", "28.2.2", "100.0"])
def test_an_engine_that_is_new_enough_is_left_alone(machine, version):
    machine.has("docker", f"echo {version}")
    done = machine.install()
    assert (done.returncode, machine.called()) == (0, [])
    assert f"Docker Engine {version} answers, nothing to do" in done.stdout


def test_quiet_says_nothing_about_an_engine_that_answers(machine):
    machine.has("docker", ENGINE_IS_UP)
    done = machine.install("--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("version", ["19.03.15", "20.9", "18.09.1~ce"])
def test_an_engine_that_is_too_old_is_refused_and_not_touched(machine, version):
    machine.has("docker", f"echo {version}")
    done = machine.install()
    assert (done.returncode, machine.called()) == (11, [])
    assert version in done.stderr
    assert "20.10 or newer" in done.stderr


def test_a_user_without_permission_is_told_which_group_to_join(machine):
    machine.user_is("anna", 1000)
    machine.has("docker", ENGINE_FORBIDS)
    done = machine.install()
    assert (done.returncode, machine.called()) == (11, [])
    assert "sudo usermod -aG docker anna" in done.stderr
    assert "log out and in again" in done.stderr


@pytest.mark.parametrize("host", ["tcp://10.0.0.1:2376", "ssh://admin@elsewhere"])
def test_nothing_is_installed_for_an_engine_on_another_machine(bare, host):
    bare.has("docker", ENGINE_IS_DOWN)
    done = bare.install(DOCKER_HOST=host)
    assert (done.returncode, bare.called()) == (11, [])
    assert host in done.stderr
    assert "unset DOCKER_HOST" in done.stderr


def test_a_docker_context_of_another_machine_counts_like_docker_host(bare):
    bare.has("docker", f'[ "$1" = context ] && {{ echo ssh://elsewhere; exit 0; }}; {ENGINE_IS_DOWN}')
    done = bare.install()
    assert (done.returncode, bare.called()) == (11, [])
    assert "ssh://elsewhere" in done.stderr


@pytest.mark.parametrize("os_release", ["ID=fedora\n", "", "ID=arch\nID_LIKE=\n"])
def test_another_system_is_refused_with_where_to_read(bare, os_release):
    bare.os_release.write_text(os_release)
    done = bare.install()
    assert (done.returncode, bare.called()) == (11, [])
    assert "by hand: https://docs.docker.com/engine/install/" in done.stderr


def test_a_system_derived_from_ubuntu_is_accepted(bare):
    bare.os_release.write_text('ID=linuxmint\nID_LIKE="ubuntu debian"\n')
    assert bare.install().returncode == 0


def test_a_user_without_sudo_gets_the_exact_commands_and_nothing_runs(bare):
    bare.user_is("anna", 1000)
    bare.has("sudo", "exit 1")
    done = bare.install()
    assert (done.returncode, bare.called()) == (11, ["sudo -n true"])
    assert "sudo apt-get update\n    sudo apt-get install -y docker.io iptables\n" in done.stderr
    assert "sudo scripts/install-docker\n    sudo usermod -aG docker anna" in done.stderr


def test_with_systemd_the_commands_to_type_enable_the_service(bare):
    bare.user_is("anna", 1000)
    bare.systemd.mkdir()
    done = bare.install()
    assert done.returncode == 11
    assert "sudo systemctl enable --now docker" in done.stderr


def test_a_dry_run_prints_the_commands_and_runs_none(bare):
    done = bare.install("--dry-run")
    assert (done.returncode, bare.called()) == (0, [])
    assert "+ env DEBIAN_FRONTEND=noninteractive apt-get" in done.stdout
    assert "+ cd / && dockerd" in done.stdout


def test_without_systemd_dockerd_is_started_in_the_background_with_a_log(bare):
    done = bare.install()
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in bare.called()] == ["apt-get", "apt-get", "made-dockerd"]
    assert done.stdout.rstrip().endswith("Docker Engine 20.10.24 answers")
    assert bare.log.read_text() == "started\n"


def test_it_says_what_it_will_do_before_it_does_it(bare):
    bare.has("apt-get", "echo apt-get itself; exit 1")
    said = bare.install().stdout.splitlines()
    assert said[said.index("apt-get itself") - 1].startswith("install-docker: + apt-get")


def test_debian_13_gets_the_client_from_its_own_package(bare):
    bare.has("apt-cache", "exit 0")
    bare.install()
    assert any(call.endswith("install docker.io iptables docker-cli") for call in bare.called())


def test_with_systemd_the_service_is_enabled_and_nothing_started_by_hand(bare):
    bare.systemd.mkdir()
    done = bare.install()
    assert done.returncode == 0, done.stderr
    assert bare.called()[2:] == ["systemctl enable --now docker"]


def test_passwordless_sudo_is_used_for_each_step(bare):
    bare.user_is("anna", 1000)
    bare.has("sudo", 'shift; exec "$@"')
    done = bare.install()
    assert done.returncode == 0, done.stderr
    assert all(f"sudo -n {step}" in bare.calls.read_text() for step in ("apt-get", "setsid", "env"))


def test_a_failed_systemd_start_is_not_followed_by_a_start_by_hand(bare):
    bare.systemd.mkdir()
    bare.has("systemctl", "exit 1")
    done = bare.install()
    assert done.returncode == 24
    assert not any("dockerd" in call for call in bare.called())


def test_packages_that_do_not_install_end_it_with_24(bare):
    bare.has("apt-get", "exit 100")
    done = bare.install()
    assert done.returncode == 24
    assert "apt-get could not install" in done.stderr


def test_an_engine_that_does_not_come_up_shows_the_end_of_its_log(bare):
    bare.has("made-dockerd", "echo 'failed to start daemon: no iptables'")
    done = bare.install(DOCKER_START_SECONDS="1")
    assert done.returncode == 24
    assert "failed to start daemon: no iptables" in done.stderr
    assert "within 1 s" in done.stderr


@pytest.mark.parametrize("owner", ["dead", "somebody else", "empty"])
def test_pid_files_of_a_killed_machine_are_removed(bare, owner):
    pid = {"dead": "4194305", "somebody else": str(os.getpid()), "empty": ""}[owner]
    left = [bare.run_dir / "docker.pid", bare.run_dir / "docker/containerd/containerd.pid"]
    for file in left:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(pid)
    done = bare.install()
    assert done.returncode == 0, done.stderr
    assert not any(file.exists() for file in left)


def test_a_dockerd_that_lives_is_waited_for_and_not_started_twice(bare):
    shutil.copy(str(shutil.which("sleep")), bare.bin / "dockerd")
    bare.has("docker", ENGINE_IS_DOWN)
    with subprocess.Popen([bare.bin / "dockerd", "30"]) as living:
        (bare.run_dir / "docker.pid").write_text(str(living.pid))
        done = bare.install(DOCKER_START_SECONDS="1")
        living.kill()
    assert done.returncode == 24
    assert f"dockerd runs already (process {living.pid})" in done.stdout
    assert (bare.run_dir / "docker.pid").exists()
    assert not bare.log.exists()


def test_a_dockerd_that_died_and_was_not_collected_is_started_anew(bare):
    program = bare.run_dir / "dockerd"
    shutil.copy(str(shutil.which("sleep")), program)
    with subprocess.Popen([program, "30"]) as dead:
        dead.kill()
        os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
        (bare.run_dir / "docker.pid").write_text(str(dead.pid))
        done = bare.install()
    assert done.returncode == 0, done.stderr
    assert "is left over from a dockerd that is gone" in done.stdout


def test_a_user_outside_the_group_is_told_so_after_the_installation(bare):
    bare.user_is("anna", 1000)
    bare.has("sudo", 'shift; AS_ROOT=1 exec env AS_ROOT=1 "$@"')
    bare.has("made-docker", f'[ -n "${{AS_ROOT:-}}" ] && {{ {ENGINE_IS_UP}; }}; {ENGINE_FORBIDS}')
    done = bare.install()
    assert done.returncode == 11
    assert "sudo usermod -aG docker anna" in done.stderr


def test_an_unknown_option_is_wrong_usage(machine):
    done = machine.install("--force")
    assert done.returncode == 1
    assert "--force" in done.stderr
