"""Set-up: makes what is missing in an order that can be cut off, and changes nothing the second time."""
# ruff: noqa: PLR0917 - pytest hands a table's columns over by name

import json

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.errors import OpsError, PreflightFailedError, SettingsInvalidError
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.settings import ENCRYPTION_KEYS
from chatwoot_ops.operations.administrator import Applicant
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.secrets import GENERATED, existing_or_example
from chatwoot_ops.operations.setup import set_up
from chatwoot_ops.operations.sizing import web_processes
from fakes import GIGABYTE, OK
from world import DIGEST, FOLDER, INSTALLED, INSTANCE, LOGIN_CLOSED, database_answer, place_in, stack_in, volume_answer

ADA = Applicant(email="ada@x.example")
EMPTY = database_answer(prepared=False, versions=[], configs=0, users=0, administrators=0)


@pytest.fixture
def fresh(tmp_path, well):
    """A machine on which nothing of the stack is there yet."""
    engine = well.processes
    made = {}
    engine.on("docker network inspect", code=1).on("docker network create", "").on("db:chatwoot_prepare", "")
    engine.on("docker volume inspect", code=1)
    engine.on_call("docker volume create", lambda command: made.update({command.argv[-1]: ""}) or _done())
    engine.on_call("--volume", lambda command: _look(command, made))
    engine.on_call("chatwoot_ops.instance", lambda _: _done(json.dumps([*made.values()][:1])))
    engine.in_turn("invalid_indexes", EMPTY, EMPTY, database_answer(users=0, administrators=0))
    engine.on("redis-cli EXISTS", "1\n").on("account_users.account_id), '[]'", "[7]")
    well.http.on("GET http://127.0.0.1:3002/installation/onboarding", OK, LOGIN_CLOSED).on("POST", Answer(302))
    return Place(FOLDER, tmp_path / ".env"), made


def _done(stdout=""):
    return Finished(0, stdout, "")


def _missing():
    return Finished(1, "", "no such volume")


def _look(command, made):
    name = command.argv[command.argv.index("--volume") + 1].partition(":")[0]
    if command.stdin:
        made[name] = command.stdin.strip()
    return _done(volume_answer(marker=made.get(name, ""), empty=True, postgres="", beginning=True))


def test_a_fresh_machine_gets_everything_and_the_password_is_shown_once(fresh, well):
    place, made = fresh
    well.processes.on_call("docker volume inspect", lambda c: _done() if c.argv[-1] in made else _missing())
    result = set_up(place, well, ADA, quick=True)
    values = read_env_file(place.env_file).values
    assert (result.administrator, result.account, result.release) == ("ada@x.example", 7, "v4.15.1-ce")
    assert result.password
    assert values["CHATWOOT_IMAGE"] == f"chatwoot/chatwoot:v4.15.1-ce@{DIGEST}"
    assert set(made.values()) == {values["CHATWOOT_INSTANCE_ID"]}
    assert all(values[name] for name in GENERATED)
    assert any(line.startswith("secrets filled") for line in result.changed)
    secrets = [values[name] for name in GENERATED] + [result.password]
    told = "".join(well.processes.lines + well.reporter.steps + well.reporter.notes) + repr(result.changed)
    assert not [secret for secret in secrets if secret in told]


def test_the_second_run_changes_nothing_and_says_so(tmp_path, well):
    pinned = {
        "CHATWOOT_IMAGE": f"chatwoot/chatwoot:v4.15.1-ce@{DIGEST}",
        "POSTGRES_IMAGE": f"pgvector/pgvector:pg16@{DIGEST}",
        "REDIS_IMAGE": f"redis:7-alpine@{DIGEST}",
        "CHATWOOT_RELEASE": "v4.15.1-ce",
    }
    place = place_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, **pinned)
    before = place.env_file.read_bytes()
    result = set_up(place, well, quick=True)
    assert (result.changed, result.administrator, result.password) == ((), "", "")
    assert place.env_file.read_bytes() == before


def test_nothing_is_touched_before_the_preflight_passed(fresh, well):
    place, made = fresh
    well.machine.disk = GIGABYTE
    with pytest.raises(PreflightFailedError):
        set_up(place, well, ADA)
    assert not place.env_file.exists()
    assert made == {}
    assert not (place.env_file.parent / "state").exists()


@pytest.mark.parametrize(
    "wrong",
    [{"CHATWOOT_PORT": "web"}, {ENCRYPTION_KEYS[0]: ""}, {"FRONTEND_URL": "x"}],
    ids=["port", "half-set keys", "URL"],
)
def test_wrong_settings_are_refused_before_anything_is_asked(tmp_path, host, wrong):
    with pytest.raises(SettingsInvalidError):
        set_up(place_in(tmp_path, REDIS_PASSWORD="", **wrong), host, ADA)
    assert host.processes.ran == []


def test_without_an_address_a_new_installation_is_refused_before_anything_is_made(fresh, well):
    place, made = fresh
    with pytest.raises(OpsError, match="needs an e-mail address"):
        set_up(place, well)
    assert made == {}
    assert not place.env_file.exists()


def test_a_first_run_key_that_was_lost_is_put_back(tmp_path, well):
    well.processes.on("invalid_indexes", database_answer(users=0)).on("redis-cli SET", "")
    place = place_in(tmp_path, **INSTALLED)
    assert "first-run key put back" in set_up(place, well, ADA, quick=True).changed


@pytest.mark.parametrize(
    ("memory", "cpus", "cores", "processes"),
    [
        ("2g", "2", 2, 2),
        ("2g", "2", 1, 1),
        ("400m", "2", 4, 1),
        ("8g", "8", 4, 4),
        ("100m", "2", 2, 1),
        ("2g", "0.5", 2, 1),
    ],
)
def test_web_processes_fit_cores_limits_and_memory(tmp_path, host, memory, cpus, cores, processes):
    host.machine.core_count = cores
    assert web_processes(stack_in(tmp_path, RAILS_MEMORY_LIMIT=memory, RAILS_CPU_LIMIT=cpus), host) == processes


@pytest.mark.parametrize("after", range(1, 12))
def test_a_full_disk_during_set_up_ends_with_20_and_can_be_recovered(fresh, well, monkeypatch, after):
    place, _ = fresh
    left = iter(range(after))

    def fill_up(_descriptor):
        if next(left, None) is None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fill_up)
    with pytest.raises(OpsError, match="No space left on device") as caught:
        set_up(place, well, ADA, quick=True)
    assert caught.value.code == 20
    monkeypatch.undo()
    journal = store_of(unchecked_stack(place, existing_or_example(place)), well).read()
    assert journal is None or journal.opening.operation == "setup"
    if place.env_file.exists():
        assert all(read_env_file(place.env_file).values[name] for name in GENERATED)
