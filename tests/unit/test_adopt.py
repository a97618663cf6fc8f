"""Taking over: everything is looked at first, rehearsed, and this side is empty again after every failure."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import json
from uuid import UUID

import pytest

from chatwoot_ops.adapters.env_file import read_env_file, write_env_file
from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.errors import (
    ChecksFailedError,
    ConfirmationMissingError,
    IndexesMissingError,
    InterruptedByOperatorError,
    PreflightFailedError,
    RestoreFailedError,
    SettingsInvalidError,
    StackLockedError,
)
from chatwoot_ops.model.check import Outcome, failures
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.journal import Opening
from chatwoot_ops.operations import adopt as module
from chatwoot_ops.operations import adopt_plan, adopt_undo
from chatwoot_ops.operations.adopt import adopt, looked_at_source
from chatwoot_ops.operations.adopt_source import AdoptOptions
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.secrets import existing_or_example
from keeping import well_inside, well_keeping
from sets import DATA, FILES, tar_of
from world import FOLDER, INSTANCE, SECRETS, VERSIONS, volume_answer

KEYS = {name: value for name, value in SECRETS.items() if name.startswith("ACTIVE") or name == "SECRET_KEY_BASE"}
ENV = {
    **KEYS,
    "FRONTEND_URL": "https://chat.kgc.example",
    "POSTGRES_HOST": "postgres",
    "POSTGRES_USERNAME": "postgres",
    "POSTGRES_PASSWORD": "of-the-source-0123456789",
    "REDIS_URL": "redis://redis:6379",
}
FACTS = {"chatwoot": True, "major": 16, "size": 9_000_000, "owner": "postgres", "extensions": ["plpgsql", "vector"]}
CONTENT = {"versions": list(VERSIONS), "files": {"local": 2}, "messages": 258, "newest": None}
EMPTY = {**FACTS, "chatwoot": False}


def described(name, *, mounts=(), cmd=(), state="running", env=(), image="chatwoot/chatwoot:v4.15.1-ce", project="old"):
    return {
        "Id": f"id-{name}",
        "Name": f"/old-{name}-1",
        "Config": {
            "Image": image,
            "Env": list(env),
            "Cmd": list(cmd),
            "Labels": {"com.docker.compose.project": project, "com.docker.compose.service": name},
        },
        "State": {"Status": state},
        "Mounts": [{"Type": "volume", "Name": volume, "Destination": place} for place, volume in mounts],
    }


class Machine:
    """The engine of a machine with a source on it, and the volumes that come and go."""

    def __init__(self, host):
        self.host, self.engine, self.there = host, host.processes, set()
        self.source(serving=False)
        self.server()

    def source(self, *, serving, database="running", **how):
        web = "running" if serving else "exited"
        found = [
            described(
                "postgres",
                mounts=[("/var/lib/postgresql/data", "old_postgres_data")],
                env=["POSTGRES_USER=postgres", "POSTGRES_PASSWORD=of-the-source-0123456789"],
                image="pgvector/pgvector:pg16",
                state=database,
                **how,
            ),
            described("rails", mounts=[("/app/storage", "old_storage_data")], cmd=["rails", "s"], state=web, **how),
            described("sidekiq", mounts=[("/app/storage", "old_storage_data")], cmd=["sidekiq"], state=web, **how),
        ]
        self.engine.on("--filter label=com.docker.compose.project=old", " ".join(each["Id"] for each in found))
        self.engine.on("docker inspect id-postgres", json.dumps(found))

    def server(self, *, databases=("chatwoot", "chatwoot_production"), facts=None, content=None):
        self.engine.on("datallowconn", json.dumps(list(databases)))
        answers = {"chatwoot_production": {**FACTS, **(facts or {})}}
        self.engine.on_call(
            "'major', current_setting",
            lambda command: Finished(0, json.dumps(answers.get(command.argv[-1], EMPTY)), ""),
        )
        self.engine.on("service_name, count(*)", json.dumps({**CONTENT, **(content or {})}))

    def volumes(self):
        def inspect(command):
            return Finished(0 if command.argv[-1] in self.there else 1, "{}", "")

        def create(command):
            self.there.add(command.argv[-1])
            return Finished(0, "", "")

        def remove(command):
            self.there -= set(command.argv[4:])
            return Finished(0, "", "")

        def of_project(command):
            project = command.argv[-1].rpartition("=")[2]
            return Finished(0, "\n".join(name for name in self.there if name.startswith(f"{project}-")), "")

        self.engine.on_call("docker volume ls --quiet --filter label=", of_project)
        self.engine.on_call("docker volume inspect", inspect).on_call("docker volume create", create)
        self.engine.on_call("docker volume rm", remove)


@pytest.fixture(autouse=True)
def _known_instance(monkeypatch):
    monkeypatch.setattr(adopt_plan, "uuid4", lambda: UUID(INSTANCE))


@pytest.fixture
def machine(well, pages):
    engine = well.processes
    for part in ("docker ps -a --format", "docker volume ls", "docker network ls"):
        engine.on(part, "")
    engine.on("docker network rm", "").on("uname -m; postgres --version", "x86_64\n16\n").on("du -sk", "1000\n")
    engine.on("AS called", json.dumps(["n8n:5678"])).on("--volume chatwoot-", volume_answer(postgres=""))
    well_keeping(well)
    well_inside(engine, pages)
    machine = Machine(well)
    machine.volumes()
    return machine


@pytest.fixture
def place(tmp_path):
    return Place(FOLDER, tmp_path / "here" / ".env")


@pytest.fixture
def asked(tmp_path, place):
    place.env_file.parent.mkdir()
    write_env_file(tmp_path / "source.env", "".join(f"{key}={value}\n" for key, value in ENV.items()))
    return lambda **how: AdoptOptions(
        **{"from_project": "old", "env": str(tmp_path / "source.env"), "yes": True, **how}
    )


def home(place):
    return unchecked_stack(place, existing_or_example(place))


def is_empty(place, machine):
    assert not place.env_file.exists()
    assert machine.there == set()
    assert not (home(place).state_folder / "adopt").exists()


def refused(place, well, asked, **how):
    with pytest.raises(PreflightFailedError) as caught:
        adopt(place, well, asked(**how))
    assert "neither at the source nor here" in caught.value.remedy
    return "\n".join(caught.value.details)


def writes_to_the_source(machine):
    """Commands that name the source and could change it."""
    named = ("old_postgres_data", "old_storage_data", "id-postgres", "id-rails", "old-rails-1")
    harmless = ("docker inspect", "default_transaction_read_only=on")
    lines = [line for line in machine.engine.lines if any(name in line for name in named)]
    lines = [line for line in lines if not any(part in line for part in harmless)]
    return [line for line in lines if not ("_data:/volume:ro" in line or "_data:/source:ro" in line)]


def test_an_installation_is_taken_over_and_the_source_only_read(place, well, machine, asked):
    result = adopt(place, well, asked())
    assert (result.source, result.release, result.rehearsed) == ("old", "v4.15.1-ce", False)
    assert (result.rows, result.tables, result.files) == (261, 2, 2)
    assert failures(result.checks) == ()
    assert writes_to_the_source(machine) == []
    values = read_env_file(place.env_file).values
    assert {key: values[key] for key in KEYS} == KEYS
    assert values["CHATWOOT_INSTANCE_ID"] == INSTANCE
    assert values["FRONTEND_URL"] == "https://chat.kgc.example"
    assert values["POSTGRES_PASSWORD"] not in {"", ENV["POSTGRES_PASSWORD"]}
    assert place.env_file.stat().st_mode & 0o777 == 0o600
    assert machine.there == set(home(place).volumes.values())
    assert not (home(place).state_folder / "adopt").exists()


def test_what_still_leads_to_the_old_place_is_said(place, well, machine, asked):
    said = "\n".join(adopt(place, well, asked()).next)
    for words in (
        "https://chat.kgc.example has to lead to 127.0.0.1:3002",
        "n8n:5678",
        "--restart=no old-rails-1 old-sidekiq-1",
    ):
        assert words in said


def test_a_source_that_forces_https_is_asked_as_its_proxy_would(place, well, machine, asked, tmp_path):
    made = asked()
    write_env_file(tmp_path / "source.env", (tmp_path / "source.env").read_text() + "FORCE_SSL=true\n")
    adopt(place, well, made)
    asking = machine.engine.ran_with("wget -q -S")
    assert asking
    assert all("X-Forwarded-Proto: https" in command.argv for command in asking)


@pytest.mark.parametrize("answer", ["", "no JSON"])
def test_an_answer_that_cannot_be_read_is_a_failed_check(place, well, machine, asked, answer):
    machine.engine.on("table_name || '.' || column_name", answer)
    assert "gave no answer that can be read" in refused(place, well, asked)
    machine.engine.on("datallowconn", answer)
    assert "gave no answer that can be read" in refused(place, well, asked)


def test_no_secret_of_the_source_is_in_an_argument_or_in_the_journal(place, well, machine, asked):
    adopt(place, well, asked())
    secrets = (*KEYS.values(), ENV["POSTGRES_PASSWORD"])
    assert not [line for line in machine.engine.lines for secret in secrets if secret in line]
    told = store_of(home(place), well).ledger.read_text()
    assert not [secret for secret in secrets if secret in told]
    passwords = {command.environment.get("PGPASSWORD") for command in machine.engine.ran_with("container:id-postgres")}
    assert passwords - {None} == {ENV["POSTGRES_PASSWORD"]}


def test_the_rehearsal_alone_leaves_nothing_and_lets_the_source_serve(place, well, machine, asked):
    machine.source(serving=True)
    result = adopt(place, well, asked(rehearse=True))
    assert result.rehearsed
    assert "Stop the source's web and worker" in result.next[0]
    assert "old-rails-1" in next(check.seen for check in result.checks if check.name == "source")
    is_empty(place, machine)


def test_a_source_that_serves_is_not_taken_over(place, well, machine, asked):
    machine.source(serving=True)
    assert "docker stop old-rails-1 old-sidekiq-1" in refused(place, well, asked)
    is_empty(place, machine)


def test_everything_in_the_way_is_said_at_once(place, well, machine, asked):
    machine.source(serving=True, project="chatwoot")
    machine.server(databases=("postgres",))
    machine.there.add("chatwoot-storage")
    machine.host.machine.disk = 10**6
    said = refused(place, well, asked)
    for words in (
        "docker stop",
        "databases that do: none",
        "'chatwoot' is the source's own",
        "its volumes are there already: chatwoot-storage",
        "room for volumes",
        "room for dumps",
    ):
        assert words in said
    assert not place.env_file.exists()


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ({"facts": {"major": 17}}, "PostgreSQL 17, newer than the 16"),
        ({"facts": {"chatwoot": False}}, "'chatwoot_production' is not there or holds no Chatwoot"),
    ],
)
def test_a_server_that_cannot_be_taken_over_is_refused(place, well, machine, asked, server, words):
    machine.server(**server)
    assert words in refused(place, well, asked)
    is_empty(place, machine)


@pytest.mark.parametrize(
    ("versions", "words"),
    [((*VERSIONS, "20990101000000"), "of a newer release"), (VERSIONS[:1], "or add --migrate")],
)
def test_data_of_another_release_is_refused_before_anything_is_read(place, well, machine, asked, versions, words):
    machine.server(content={"versions": list(versions)})
    assert words in refused(place, well, asked)
    assert not machine.engine.ran_with("--snapshot=")


def test_a_server_that_does_not_answer_is_a_failed_check(place, well, machine, asked):
    machine.engine.on("datallowconn", code=2, stderr="connection refused")
    assert "source database: could not check" in refused(place, well, asked)


def test_keys_that_do_not_open_the_rows_are_found_before_anything_is_made(place, well, machine, asked):
    sealed = {"p": "AAAA", "h": {"iv": "AAAAAAAAAAAAAAAA", "at": "AAAAAAAAAAAAAAAAAAAAAA=="}}
    row = json.dumps(["webhooks.secret", json.dumps(sealed)])
    machine.engine.on("table_name || '.' || column_name", f'{row}\n["end"]\n')
    assert "encryption keys: webhooks.secret" in refused(place, well, asked)
    is_empty(place, machine)


def test_a_stack_that_is_set_up_already_is_refused(place, well, machine, asked):
    made = asked()
    write_env_file(place.env_file, f"CHATWOOT_INSTANCE_ID={INSTANCE}\n")
    before = place.env_file.read_bytes()
    with pytest.raises(PreflightFailedError) as caught:
        adopt(place, well, made)
    assert "invoke down --volumes" in "\n".join(caught.value.details)
    assert place.env_file.read_bytes() == before


def test_what_this_side_says_already_wins_but_for_the_keys(place, well, machine, asked):
    made = asked()
    write_env_file(place.env_file, "SMTP_ADDRESS=mail.kgc.example\nSECRET_KEY_BASE=another0123456789012345678\n")
    adopt(place, well, made)
    values = read_env_file(place.env_file).values
    assert values["SMTP_ADDRESS"] == "mail.kgc.example"
    assert values["SECRET_KEY_BASE"] == KEYS["SECRET_KEY_BASE"]


def test_rows_that_did_not_come_over_fail_the_rehearsal(place, well, machine, asked):
    lines = json.dumps(["table", "public.messages", 259, "78"])
    _change_answer(machine, lines)
    with pytest.raises(ChecksFailedError) as caught:
        adopt(place, well, asked())
    assert "table public.messages: 259 rows expected, 258 rows found" in caught.value.details
    is_empty(place, machine)


def _change_answer(machine, line):
    """The source's digest says something else of a table than what is loaded."""
    from fakes import SPOKEN  # noqa: PLC0415 - here only
    from keeping import HIGH_VALUES, LOW, SNAPSHOT  # noqa: PLC0415 - here only
    from sets import BLOBS, blob_lines, digest_lines  # noqa: PLC0415 - here only

    told = [line if '"public.messages"' in each and '"table"' in each else each for each in digest_lines(DATA)]
    spoken = [LOW, SNAPSHOT, *blob_lines(BLOBS), *told, json.dumps(["sequences", HIGH_VALUES])]
    machine.engine.on(f"-U postgres -d chatwoot_production\n{SPOKEN}", "\n".join(spoken))
    staged = "\n".join([*blob_lines(BLOBS), '["end"]', *digest_lines(DATA)])
    machine.engine.on(f"-h 127.0.0.1 -U postgres -d chatwoot_production\n{SPOKEN}", staged)


def test_of_an_older_server_rows_are_counted(place, well, machine, asked):
    machine.server(facts={"major": 13})
    counted = adopt(place, well, asked(rehearse=True))
    asked_for = "".join(machine.engine.sessions[0].sent)
    assert "hash_record_extended" not in asked_for
    assert "count(*)" in asked_for
    assert next(check for check in counted.checks if check.name == "source PostgreSQL").outcome is Outcome.WARN


def test_a_web_that_does_not_serve_fails_the_rehearsal(place, well, machine, asked, pages):
    pages["/api"] = (0, "  HTTP/1.1 200 OK\n", '{"queue_services":"failing"}')
    with pytest.raises(ChecksFailedError) as caught:
        adopt(place, well, asked())
    assert "/api" in "\n".join(caught.value.details)
    is_empty(place, machine)


def test_without_a_yes_nothing_is_taken_over(place, well, machine, asked):
    with pytest.raises(ConfirmationMissingError):
        adopt(place, well, asked(yes=False))
    is_empty(place, machine)


@pytest.mark.parametrize("had", [False, True], ids=["without settings", "with settings"])
def test_a_takeover_that_fails_leaves_this_side_as_empty_as_before(place, well, machine, asked, had):
    made = asked()
    if had:
        write_env_file(place.env_file, "CHATWOOT_PORT=3102\n")
    well.http.on("/app/login", Answer(500))
    with pytest.raises(RestoreFailedError) as caught:
        adopt(place, well, made)
    assert "the source is as it was" in caught.value.remedy
    assert machine.there == set()
    assert place.env_file.exists() is had
    if had:
        assert place.env_file.read_text() == "CHATWOOT_PORT=3102\n"
    assert store_of(home(place), well).read() is None


def test_once_it_serves_nothing_is_taken_away_any_more(place, well, machine, asked, monkeypatch):
    def fails(*_):
        raise IndexesMissingError("The indexes could not be built")

    monkeypatch.setattr(module, "end_swapped", fails)
    with pytest.raises(IndexesMissingError):
        adopt(place, well, asked())
    assert machine.there == set(home(place).volumes.values())
    assert read_env_file(place.env_file).values["CHATWOOT_INSTANCE_ID"] == INSTANCE


@pytest.mark.usefixtures("asked")
def test_an_undo_asks_first_whether_customers_wrote_to_it(place, well, machine, monkeypatch):
    def wrote(*_):
        raise StackLockedError("Customers wrote to the restored data")

    store = store_of(home(place), well)
    store.open(Opening("adopt", "77", "ada", 1, "2026-11-24T08:00:00Z"))
    store.step("settings", {"created": ["chatwoot-db-data"], "had_settings": False})
    machine.there.add("chatwoot-db-data")
    monkeypatch.setattr(adopt_undo, "refuse_loss", wrote)
    with pytest.raises(StackLockedError):
        recover(place, well, undo=True)
    assert machine.there == {"chatwoot-db-data"}


def test_ctrl_c_in_the_takeover_leaves_this_side_empty(place, well, machine, asked, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "bring_in", interrupted)
    with pytest.raises(InterruptedByOperatorError):
        adopt(place, well, asked())
    is_empty(place, machine)


class Killed(BaseException):
    """Stands for a process that is gone: nothing of ours runs afterwards."""


@pytest.fixture
def killed_at(place, well, asked, monkeypatch):
    """A takeover whose process is gone right after a step of it was announced."""

    def run(step):
        made = asked()
        store = type(store_of(home(place), well))
        announce = store.step

        def last(self, name, facts):
            announce(self, name, facts)
            if name == step:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(store, "step", last)
            patch.setattr(module, "put_away", lambda *_: None)
            patch.setattr(module.shutil, "rmtree", lambda *_, **__: None)
            patch.setattr(store, "close", lambda *_, **__: None)
            with pytest.raises(Killed):
                adopt(place, well, made)

    return run


@pytest.mark.parametrize("step", ["images", "dump-database", "rehearse", "settings", "make-ready"])
def test_after_a_kill_undo_leaves_this_side_empty(place, well, machine, killed_at, step):
    killed_at(step)
    assert "'adopt'" in recover(place, well).text
    recover(place, well, undo=True)
    is_empty(place, machine)


@pytest.mark.parametrize("step", ["dump-database", "settings"])
def test_after_a_kill_finish_takes_over(place, well, machine, killed_at, step):
    killed_at(step)
    recover(place, well, finish=True)
    assert machine.there == set(home(place).volumes.values())
    assert read_env_file(place.env_file).values["CHATWOOT_INSTANCE_ID"] == INSTANCE


def test_a_stopped_database_is_copied_and_the_copy_started(place, well, machine, asked):
    machine.source(serving=False, database="exited")
    machine.engine.on("pg_control", "cluster=.\nmajor=16\n").on("cp -a --reflink=auto /source/.", "")
    machine.engine.on("docker run -d --name", "id").on("SELECT 1;", "1\n")
    adopt(place, well, asked())
    started = machine.engine.ran_with("docker run -d --name chatwoot-adopt-")
    assert [("pgvector/pgvector:pg16" in command.argv) for command in started] == [True]
    assert writes_to_the_source(machine) == []
    assert machine.there == set(home(place).volumes.values())


def test_a_copy_that_does_not_start_is_said_and_gone(place, well, machine, asked):
    machine.source(serving=False, database="exited")
    machine.engine.on("pg_control", "cluster=.\nmajor=16\n").on("cp -a --reflink=auto /source/.", "")
    machine.engine.on("docker run -d --name", "id").on("docker logs", "FATAL: incompatible\n")
    machine.engine.on("SELECT 1;", code=1, stderr="cannot join network of a non running container")
    with pytest.raises(module.OpsError) as caught:
        adopt(place, well, asked())
    assert "FATAL: incompatible" in caught.value.details
    is_empty(place, machine)


def test_volumes_of_which_no_container_is_left_are_found_by_their_labels(place, well, machine, asked):
    machine.engine.on("--filter label=com.docker.compose.project=old", "")
    named = "old_postgres_data postgres_data\nold_redis_data redis_data\nold_storage_data storage_data\n"
    machine.engine.on("docker volume ls --filter label=com.docker.compose.project=old", named)
    machine.engine.on("pg_control", "cluster=.\nmajor=14\n")
    assert "--database-image pgvector/pgvector:pg14" in refused(place, well, asked)


def test_a_relative_path_is_noted_so_that_recovery_finds_it(place, well, machine, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = asked(env="source.env")
    noted = []
    monkeypatch.setattr(module, "_adopt", lambda *given: noted.append(given[2]) or given[-1] / "nothing")
    with pytest.raises(TypeError):
        adopt(place, well, made)
    assert noted[0].env == str(tmp_path / "source.env")


def test_a_dump_of_a_machine_elsewhere_is_taken_over(place, well, machine, asked, tmp_path):
    (tmp_path / "old.dump").write_bytes(b"PGDMP a dump")
    (tmp_path / "storage.tar").write_bytes(tar_of(FILES))
    where = {"from_project": "", "dump": str(tmp_path / "old.dump"), "storage": str(tmp_path / "storage.tar")}
    result = adopt(place, well, asked(**where))
    assert (result.source, result.files) == ("old.dump", 2)
    assert (tmp_path / "old.dump").exists()


def test_flags_that_contradict_each_other_are_said_at_once(place, well, tmp_path):
    with pytest.raises(SettingsInvalidError) as caught:
        looked_at_source(place, well, AdoptOptions(from_project="old", dump="gone.dump"))
    said = "\n".join(caught.value.details)
    for words in ("name one source", "--env FILE", "--dump: there is no gone.dump"):
        assert words in said


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(place, well, machine, asked):
    checks = looked_at_source(place, well, asked())
    assert failures(checks) == ()
    assert [check.outcome for check in checks].count(Outcome.LEFT_OUT) == len(module._STEPS)
    assert not machine.engine.ran_with("--snapshot=")
    is_empty(place, machine)


@pytest.mark.parametrize(
    ("image", "community"),
    [
        ("chatwoot/chatwoot:v4.15.1-ce", "chatwoot/chatwoot:v4.15.1-ce"),
        ("chatwoot/chatwoot:latest", "chatwoot/chatwoot:v4.15.1-ce"),
        ("chatwoot/chatwoot:latest-ce", "chatwoot/chatwoot:v4.15.1-ce"),
        ("chatwoot/chatwoot", "chatwoot/chatwoot:v4.15.1-ce"),
        ("", ""),
    ],
)
def test_the_image_is_the_community_edition_of_the_release_that_runs(well, image, community):
    assert adopt_plan.community_image(well, image) == community
