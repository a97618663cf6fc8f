"""The real command line on a fake docker: exit codes, messages, streams."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import pytest

from chatwoot_ops.adapters.lock import hold_lock, lock_path
from chatwoot_ops.model.journal import Opening, to_line
from sets import sealed
from world import INSTANCE, ROOT, SECRETS, database_answer, healthy_host, image, place_in, volume_answer

BIN = Path(__file__).with_name("bin")
KILL_AT = ROOT / "tests/stack/kill_at.py"
PREPARE = "rails db:chatwoot_prepare"
SETUP = ("setup", "--admin-email", "ada@x.example")


class Page(BaseHTTPRequestHandler):
    """A web that answers yes to everything, the open first-run page included."""

    def do_GET(self):
        body = json.dumps({"version": "4.15.1", "queue_services": "ok", "data_services": "ok"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_OPTIONS = do_GET  # noqa: N815 - the name http.server looks for

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module")
def web():
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


class World:
    """A settings file, a fake docker with its answers, and the real tasks."""

    def __init__(self, folder, port):
        self.folder, self.project = folder, f"unit-{uuid4().hex[:8]}"
        self.place = place_in(folder, COMPOSE_PROJECT_NAME=self.project, CHATWOOT_INSTANCE_ID=INSTANCE,
                              CHATWOOT_PORT=str(port), FRONTEND_URL=f"http://127.0.0.1:{port}")  # fmt: skip
        self.answers, self.calls = folder / "answers.json", folder / "calls"
        self.calls.touch()
        self.scripts = self._well()
        self.python = self._environment()

    def _well(self):
        processes = healthy_host().processes
        static = [(part, replies[0]) for part, replies in processes._scripts if "/app/storage" not in part]
        answers = [(part, reply(None)) for part, reply in static]
        own = f"project={self.project}"
        return [[part.replace("project=chatwoot", own), done.stdout, done.code, done.stderr] for part, done in answers]

    def _environment(self):
        """The environment of these tests with a fake docker-compose in it."""
        here, venv = Path(sys.executable).parent, self.folder / "venv"
        (venv / "bin").mkdir(parents=True)
        (venv / "pyvenv.cfg").write_text((here.parent / "pyvenv.cfg").read_text())
        (venv / "lib").symlink_to(here.parent / "lib")
        (venv / "bin/python").symlink_to(here / "python")
        (venv / "bin/docker-compose").symlink_to(BIN / "docker-compose")
        return venv / "bin/python"

    def on(self, part, out="", code=0, err=""):
        self.scripts.insert(0, [part, out, code, err])

    def settings(self, **values):
        place_in(self.folder, COMPOSE_PROJECT_NAME=self.project, **values)

    def start(self, *words, stdin=subprocess.DEVNULL, program=("-m", "invoke")):
        self.answers.write_text(json.dumps(self.scripts))
        return subprocess.Popen(
            (self.python, "-W", "error", *program, *words),
            cwd=ROOT,
            env={
                "PATH": f"{BIN}:/usr/bin:/bin",
                "HOME": str(self.folder),
                "CHATWOOT_ENV_FILE": str(self.place.env_file),
                "FAKE_ANSWERS": str(self.answers),
                "FAKE_CALLS": str(self.calls),
                "TERM": "xterm-256color",
                "POSTGRES_PASSWORD": "of-the-shell",
            },
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=60)
        for text in (out, err):
            assert "Traceback" not in text, text
            assert "\x1b" not in text
            assert not [name for name, value in SECRETS.items() if value in text]
        return subprocess.CompletedProcess(words, process.returncode, out, err)

    def ran(self, part):
        return [line for line in self.calls.read_text().splitlines() if part in line]


@pytest.fixture
def world(tmp_path, web):
    made = World(tmp_path, web)
    yield made
    lock_path(made.project).unlink(missing_ok=True)


def no_file(world):
    world.place.env_file.unlink()


def wrong_settings(world):
    world.settings(CHATWOOT_PORT="web", FRONTEND_URL="x/")


def shell_readable(world):
    world.place.env_file.chmod(0o644)


def no_engine(world):
    world.on("docker version", code=1, err="Cannot connect to the Docker daemon\n")


def foreign_volume(world):
    world.on("--volume", volume_answer(marker="other"))


def cut_off(world):
    (world.folder / "state").mkdir()
    opening = Opening("setup", "abc", "ada", 7, "2026-11-24T08:00:00Z")
    (world.folder / "state/journal.jsonl").write_text(to_line(opening) + "\n")


def enterprise(world):
    world.on("image inspect", image(env=["CW_EDITION=ee"]))
    world.on("{{.SystemTime}}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))


def prepare_fails(world):
    world.on(PREPARE, code=7, err=f"PG::Error near {SECRETS['POSTGRES_PASSWORD']}\n")


def nothing(_world):
    pass


REFUSED_AND_FAILED = [
    (10, ["status"], no_file, "There is no settings file at", "scripts/bootstrap setup"),
    (10, ["up"], wrong_settings, "The settings cannot work", "Correct"),
    (10, ["smoke"], shell_readable, "The settings cannot work", "chmod 600"),
    (10, SETUP, wrong_settings, "The settings cannot work", "Nothing was changed."),
    (11, SETUP, no_engine, "This machine cannot carry the stack yet", "scripts/install-docker"),
    (11, ["up"], foreign_volume, "This machine cannot carry the stack yet", "Mount the right volume"),
    (11, ["rehearse"], no_engine, "This machine cannot carry the stack yet", "Nothing was changed."),
    (12, ["up"], cut_off, "'setup' of 2026-11-24T08:00:00Z was cut off", "invoke recover"),
    (12, ["recover", "--finish", "--undo"], cut_off, "Choose one of --finish and --undo", "Nothing was changed."),
    (14, ["down", "--volumes"], nothing, "The data was not removed: nobody could be asked", "Add --yes"),
    (15, SETUP, enterprise, "is not Chatwoot's Community Edition", "CHATWOOT_IMAGE"),
    (20, ["migrate"], prepare_fails, "Failed while preparing the database: docker-compose exited with 7", "********"),
    (20, ["logs", "--service", "web"], nothing, "There is no service 'web'", "The services are"),
]


@pytest.mark.parametrize(
    ("code", "words", "break_it", "message", "hint"),
    REFUSED_AND_FAILED,
    ids=[f"{code} {words[0]} {break_it.__name__}" for code, words, break_it, *_ in REFUSED_AND_FAILED],
)
def test_what_goes_wrong_has_its_code_and_says_what_to_type(world, code, words, break_it, message, hint):  # noqa: PLR0917
    break_it(world)
    done = world.run(*words)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert hint in done.stderr
    assert done.stdout == ""
    if code < 20 and code != 15:
        assert not world.ran("compose up")
        assert not world.ran("create")


def test_a_message_has_four_parts(world):
    wrong_settings(world)
    lines = world.run("up").stderr.splitlines()
    assert lines == [
        "The settings cannot work",
        "  CHATWOOT_PORT: 'web' must be a port from 1 to 65535",
        "  FRONTEND_URL: 'x/' must be a URL with its scheme, such as https://support.example.com",
        f"Correct {world.place.env_file}, then run this again. Nothing was changed.",
    ]


def test_two_tasks_at_once_name_the_first(world):
    with hold_lock(world.project, operation="setup", user="grace", since="08:00"):
        done = world.run("up")
    assert done.returncode == 12
    assert f"Another operation holds the lock: setup by grace (process {os.getpid()}) since 08:00" in done.stderr


def test_smoke_fails_with_25_a_table_and_a_junit_file(world):
    done = world.run("smoke", "--quick", "--junit", str(world.folder / "smoke.xml"))
    assert done.returncode == 25
    assert re.search(r"^fail +first-run page +open: whoever comes first", done.stdout, re.MULTILINE)
    assert re.search(r"^pass +storage ", done.stdout, re.MULTILINE)
    assert "Asking the running stack" in done.stderr
    assert "<failure" in (world.folder / "smoke.xml").read_text()


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        (["smoke", "--quick"], 25, "Checks"),
        (["status"], 0, "Status"),
        (["secrets"], 0, "SecretsFilled"),
        (["secrets", "--check"], 0, "Checks"),
        (["doctor"], 25, "Checks"),
        (["up"], 0, "Started"),
        (["migrate"], 0, "Migrated"),
        (["down"], 0, "TakenDown"),
        (["recover"], 0, "Recovered"),
        (["backups"], 0, "Backups"),
        (["prune"], 0, "Pruned"),
        (["schedule"], 0, "Schedule"),
        (["schedule", "--install", "--dry-run"], 0, "Schedule"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_json_is_alone_on_standard_output(world, words, code, kind):
    world.on(PREPARE)
    done = world.run(*words, "--json")
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    assert (found["format"], found["kind"]) == (1, kind)


def test_a_scheduled_task_is_run_noted_and_when_it_fails_seen_by_status(world):
    done = world.run("schedule", "--run", "prune")
    assert done.returncode == 0, done.stderr
    assert "0 sets removed, 0 kept" in done.stdout
    assert "The scheduled prune ended well" in done.stdout
    failing = world.run("schedule", "--run", "verify")
    assert failing.returncode == 20
    assert "There is no backup set in" in failing.stdout
    assert "The scheduled verify failed with 13" in failing.stderr
    seen = world.run("status")
    assert seen.returncode == 25
    assert re.search(
        r"^watched +scheduled verify: fail, failed .+ with 13: There is no backup set", seen.stdout, re.MULTILINE
    )
    assert re.search(r"^watched +scheduled prune: pass, ended well ", seen.stdout, re.MULTILINE)
    assert json.loads((world.folder / "state/runs/verify.json").read_text())["code"] == 13


def test_a_scheduled_task_that_is_terminated_ends_its_own_task_first(world):
    world.on("pg_database_size", "hang")
    process = world.start("schedule", "--run", "backup")
    for _ in range(300):
        if world.ran("pg_database_size"):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    note = json.loads((world.folder / "state/runs/backup.json").read_text())
    assert (note["code"], note["text"]) == (130, "interrupted")
    assert not (world.folder / "state/journal.jsonl").exists()


def test_a_budget_that_is_exceeded_makes_status_fail_with_25(world):
    assert world.run("status").returncode == 0
    world.settings(BACKUP_MAX_AGE="26h", CHATWOOT_INSTANCE_ID=INSTANCE)
    done = world.run("status")
    assert done.returncode == 25
    assert "watched    backup age: fail, no whole set, at most 26h is allowed" in done.stdout


def test_sets_are_pruned_and_marked_from_the_command_line(world):
    rules = {f"BACKUP_KEEP_{rule}": "0" for rule in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")}
    world.settings(CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_KEEP_LAST="1", **rules)
    names = [sealed(world.folder / "backups", stamp=f"2026110{day}T023000Z").name for day in (1, 2, 3)]
    assert world.run("keep", "--set", names[0]).returncode == 0
    shown = world.run("prune", "--dry-run")
    assert re.search(rf"^{names[1]} .+ no rule keeps it$", shown.stdout, re.MULTILINE)
    asked = world.run("prune")
    assert (asked.returncode, asked.stdout) == (14, "")
    assert f"{names[1]}: goes, no rule keeps it" in asked.stderr
    done = world.run("prune", "--yes")
    assert done.returncode == 0
    assert re.search(rf"^{names[0]} .+ marked$", done.stdout, re.MULTILINE)
    assert sorted(path.name for path in (world.folder / "backups").iterdir()) == [names[0], names[2]]
    assert re.search(r"verified never, not off-site, kept +\S+ hours old$", world.run("backups").stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("step", "way", "left"),
    [("finish-removals", "finish", 1), ("remove-set", "finish", 1), ("remove-set", "undo", 3)],
)
def test_a_prune_that_is_killed_leaves_whole_sets_and_recover_ends_it(world, step, way, left):
    rules = {f"BACKUP_KEEP_{rule}": "0" for rule in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")}
    world.settings(CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_KEEP_LAST="1", **rules)
    for day in (1, 2, 3):
        sealed(world.folder / "backups", stamp=f"2026110{day}T023000Z")
    process = world.start(step, "prune", "--yes", program=(str(KILL_AT),))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert f"3 sets in {world.folder / 'backups'}, " in world.run("backups").stdout
    assert world.run("prune", "--yes").returncode == 12
    ended = world.run("recover", f"--{way}")
    assert ended.returncode == 0, ended.stderr
    assert f"{left} sets in {world.folder / 'backups'}, " in world.run("backups").stdout


def test_secrets_check_fails_with_10_and_never_shows_a_value(world):
    world.settings(REDIS_PASSWORD="")
    done = world.run("secrets", "--check")
    assert done.returncode == 10
    assert re.search(r"^fail +REDIS_PASSWORD +missing$", done.stdout, re.MULTILINE)


def test_secrets_are_made_for_a_new_installation(world):
    no_file(world)
    done = world.run("secrets")
    assert done.returncode == 0
    assert "SECRET_KEY_BASE, POSTGRES_PASSWORD" in done.stdout
    assert world.run("secrets").stdout.endswith("nothing, all are set\n")
    assert world.ran("") == []


def test_down_with_volumes_needs_its_yes(world):
    world.on("volume rm")
    assert world.run("down", "--volumes", "--yes").returncode == 0
    assert world.ran("docker volume rm --force chatwoot-db-data chatwoot-redis-data chatwoot-storage")


def test_logs_go_to_standard_output_masked(world):
    world.on("compose logs", f"one\ntwo {SECRETS['REDIS_PASSWORD']}\n")
    assert world.run("logs", "--tail", "5").stdout == "one\ntwo ********\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_task_exits_with_130_and_can_be_run_again(world, number):
    world.on(PREPARE, "hang")
    world.on("--filter label=chatwoot-ops.operation", "left-over")
    world.on("docker rm --force left-over")
    process = world.start("migrate")
    for _ in range(300):
        if world.ran(PREPARE):
            break
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "Interrupted during migrate; cleaned up" in err
    assert "Traceback" not in err
    assert world.ran("docker rm --force left-over")
    assert not (world.folder / "state/journal.jsonl").exists()
    assert json.loads((world.folder / "state/ledger.jsonl").read_text())["outcome"] == "interrupted"


def test_a_killed_task_leaves_its_journal_and_recover_ends_it(world):
    world.on(PREPARE, "hang")
    process = world.start("migrate")
    for _ in range(300):
        if world.ran(PREPARE):
            break
        time.sleep(0.05)
    process.kill()
    process.communicate()
    world.scripts.pop(0)
    world.on(PREPARE)
    assert world.run("up").returncode == 12
    shown = world.run("recover")
    assert "was cut off at step 'prepare'" in shown.stdout
    assert world.run("recover", "--finish").returncode == 0
    assert world.run("up").returncode == 0


def test_a_migration_that_lacks_something_fails_although_the_program_said_0(world):
    world.on(PREPARE)
    world.on("invalid_indexes", database_answer(versions=[]))
    done = world.run("migrate")
    assert done.returncode == 20
    assert "Migrations are still missing" in done.stderr


def test_without_docker_on_path_the_machine_is_refused(world, tmp_path):
    (tmp_path / "empty").mkdir()
    process = subprocess.run(
        (world.python, "-m", "invoke", "rehearse"),
        cwd=ROOT,
        env={"PATH": str(tmp_path / "empty"), "CHATWOOT_ENV_FILE": str(world.place.env_file)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 11
    assert "there is no docker program" in process.stderr


def test_the_list_groups_the_tasks_and_each_help_has_an_example(world):
    # A collection's default task goes by the collection's name, which the list shows in brackets.
    listed = re.findall(r"^  (\S+)(?: \((\S+)\))? +(?:\[(\w+)\] )?\S", world.run("--list").stdout, re.MULTILINE)
    names = [short or name for name, short, _ in listed]
    assert {"setup", "up", "down", "status", "logs", "smoke", "doctor", "recover", "rehearse"} <= set(names)
    assert {"backup", "backup.keys"} <= set(names)
    assert not [name for name, _, group in listed if not group]
    program = (
        "import sys; from invoke.main import program\n"
        "for name in sys.argv[1:]: program.run(f'invoke --help {name}', exit=False)"
    )
    argv = (world.python, "-c", program, *names)
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert re.findall(r"^ +Example: invoke (\S+)", done.stdout, re.MULTILINE) == names


@pytest.mark.parametrize("words", [["status", "--nonsense"], ["nonsense"]], ids=["flag", "task"])
def test_wrong_usage_exits_with_1(world, words):
    done = world.run(*words)
    assert done.returncode == 1
    assert world.ran("") == []


def test_the_fake_docker_refuses_flags_that_docker_does_not_have():
    for program, words in (("docker", ["ps", "--nonsense"]), ("docker", ["fly"]), ("docker-compose", ["up", "--wat"])):
        done = subprocess.run([BIN / program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "unknown" in done.stderr
