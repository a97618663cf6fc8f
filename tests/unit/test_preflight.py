"""Preflight: each check passes on a machine that fits, and fails when one thing is taken away."""

import pytest

from chatwoot_ops.errors import PreflightFailedError
from chatwoot_ops.model.check import Outcome, failed, failures, passed
from chatwoot_ops.operations.preflight import engine_check, image_checks, preflight, require
from fakes import GIGABYTE
from world import INSTANCE, containers, stack_in, volume_answer


@pytest.fixture
def values():
    return {"CHATWOOT_INSTANCE_ID": INSTANCE}


def failing(stack, host):
    return {check.name: check for check in failures(preflight(stack, host))}


def test_a_machine_that_fits_passes_every_check(stack, well):
    assert {check.outcome for check in preflight(stack, well)} == {Outcome.PASS}
    assert len(preflight(stack, well)) == 14


@pytest.mark.parametrize(
    ("answer", "seen", "remedy"),
    [
        ({"stderr": "Cannot connect to the Docker daemon", "code": 1}, "no engine answers", "scripts/install-docker"),
        ({"stderr": "dial unix: permission denied", "code": 1}, "you may not use its socket", "usermod -aG docker"),
        ({"stdout": "19.03.15"}, "version 19.03.15 is older than 20.10", "Upgrade it"),
        ({"stdout": "20.9.0"}, "version 20.9.0 is older than 20.10", "Upgrade it"),
        ({"stdout": ""}, "no engine answers", "scripts/install-docker"),
    ],
    ids=["down", "no permission", "too old", "older minor", "empty"],
)
def test_an_engine_that_cannot_be_used_is_told_apart(host, answer, seen, remedy):
    host.processes.on("docker version", **answer)
    check = engine_check(host)
    assert (check.outcome, check.seen) == (Outcome.FAIL, seen)
    assert remedy in check.remedy


@pytest.mark.parametrize("version", ["20.10.0", "29.0.1", "20.10.24+dfsg1", "28.0-rc.1"])
def test_an_engine_new_enough_passes(host, version):
    host.processes.on("docker version", version)
    assert engine_check(host).outcome is Outcome.PASS


def test_without_a_docker_program_nothing_is_run(stack, host):
    host.processes.programs = set()
    assert set(failing(stack, host)) == {"Docker Engine"}
    assert host.processes.ran == []


@pytest.mark.parametrize(
    ("take_away", "name", "seen"),
    [
        (lambda m: setattr(m, "ram", GIGABYTE), "memory", "1.0 GB there, limits add up to 4.5 GB"),
        (lambda m: setattr(m, "arch", "riscv64"), "architecture", "riscv64: Chatwoot's images exist for"),
        (lambda m: setattr(m, "disk", GIGABYTE), "disk", "1.0 GB free for images and volumes"),
    ],
    ids=["memory", "architecture", "disk"],
)
def test_a_machine_too_small_or_of_another_kind_fails(stack, well, take_away, name, seen):
    take_away(well.machine)
    found = failing(stack, well)
    assert list(found) == [name]
    assert found[name].seen.startswith(seen)
    assert found[name].remedy


@pytest.mark.parametrize("value", ["0", ""])
def test_memory_overcommit_is_a_warning(stack, well, value):
    well.machine.kernel["vm.overcommit_memory"] = value
    (warned,) = [check for check in preflight(stack, well) if check.outcome is Outcome.WARN]
    assert warned.name == "vm.overcommit_memory"
    assert "sysctl -w" in warned.remedy


def test_a_port_used_by_another_program_fails_with_its_setting(stack, well):
    containers(well)
    well.machine.taken_ports = {5435}
    found = failing(stack, well)
    assert list(found) == ["port 5435"]
    assert found["port 5435"].remedy == "See 'ss -ltnp | grep 5435', or set another POSTGRES_HOST_PORT in .env"


def test_ports_held_by_the_stack_itself_are_no_conflict(stack, well):
    well.machine.taken_ports = {3002, 5435, 6381}
    assert failing(stack, well) == {}


@pytest.mark.parametrize(
    ("time", "differs"), [("2026-11-24T08:00:29Z", 0), ("2026-11-24T08:00:31Z", 1), ("2026-11-24T09:00:00+01:00", 0)]
)
def test_a_clock_that_differs_by_more_than_half_a_minute_fails(stack, well, time, differs):
    well.processes.on("{{.SystemTime}}", time)
    assert list(failing(stack, well)) == ["clock"] * differs


@pytest.mark.parametrize("time", ["", "soon"])
def test_a_clock_that_cannot_be_read_fails(stack, well, time):
    well.processes.on("{{.SystemTime}}", time)
    assert list(failing(stack, well)) == ["clock"]


def test_compose_files_that_are_not_accepted_fail_without_a_secret(stack, well):
    secret = stack.settings["POSTGRES_PASSWORD"]
    well.processes.secrets = (secret,)
    well.processes.on("compose config", code=15, stderr=f"bad value {secret}")
    seen = failing(stack, well)["Docker Compose"].seen
    assert seen == "does not accept the compose files: bad value ********"


def test_before_the_secrets_only_the_compose_program_is_asked(tmp_path, well):
    well.processes.on("compose version --short", "5.0.0\n")
    checks = preflight(stack_in(tmp_path, POSTGRES_PASSWORD=""), well)
    assert passed("Docker Compose", "version 5.0.0") in checks
    assert not well.processes.ran_with("compose config")


@pytest.mark.parametrize(
    ("stderr", "seen"),
    [
        ("no such manifest: docker.example/x", "its registry does not have it"),
        ("unauthorized: authentication required", "its registry does not have it"),
        ("dial tcp: lookup r.example: no such host", "cannot be asked: dial tcp: lookup r.example: no such host"),
        ("", "its registry cannot be asked: no answer"),
    ],
    ids=["unknown", "unauthorized", "unreachable", "silent"],
)
def test_an_image_that_is_nowhere_fails_with_its_setting(stack, well, stderr, seen):
    well.processes.on("image inspect --format {{json .}} redis", code=1)
    well.processes.on("manifest inspect redis", code=1, stderr=stderr)
    (check,) = failures(image_checks(stack, well))
    assert check.name == "image redis:7-alpine"
    assert seen in check.seen
    assert check.remedy.startswith("Correct REDIS_IMAGE in .env")


def test_an_image_that_its_registry_has_passes(stack, well):
    well.processes.on("docker image inspect", code=1)
    assert {check.seen for check in image_checks(stack, well)} == {"its registry has it"}


def test_volumes_are_part_of_it(stack, well):
    well.processes.on("--volume", volume_answer(marker="other"))
    assert all(name.startswith("volume ") for name in failing(stack, well))


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("docker ps -aq", "ports"),
        ("DockerRootDir", "disk"),
        ("SystemTime", "clock"),
        ("docker run", "volumes"),
    ],
)
def test_what_could_not_be_checked_fails(stack, well, part, name):
    well.processes.on(part, code=1, stderr="the daemon went away")
    check = failing(stack, well)[name]
    assert check.seen.startswith("could not check: Failed while ")
    assert check.seen.endswith("the daemon went away")


def test_all_failures_come_in_one_error_with_their_remedies():
    with pytest.raises(PreflightFailedError) as caught:
        require((failed("a", "bad", "do x"), passed("b", ""), failed("c", "worse", "do y")))
    assert caught.value.details == ("a: bad\n    do x", "c: worse\n    do y")
    assert caught.value.code == 11


def test_preflight_only_looks(stack, well):
    preflight(stack, well)
    assert not [line for line in well.processes.lines if any(f" {verb} " in line for verb in ("rm", "create", "up"))]
