"""The sandbox's PostgreSQL and Redis keep the official images' contracts, asked of real containers."""

import json
import subprocess
import time
import uuid
from pathlib import Path

import pytest

BUILD = Path(__file__).parents[2] / "infra" / "docker" / "sandbox" / "build"
POSTGRES = "chatwoot-sandbox/postgres:pg16"
REDIS = "chatwoot-sandbox/redis:7"
SECRET = "made-up-secret"
EXTENSIONS = ("vector", "pg_trgm", "pgcrypto", "pg_stat_statements")


def docker(*arguments, check=True):
    command = ["docker", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=check, timeout=120)


def wait_for(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module", autouse=True)
def images():
    subprocess.run([BUILD, "base", "postgres", "redis"], check=True)


@pytest.fixture
def container():
    """Starts containers of a throwaway name and takes them and their volumes away."""
    started = []

    def start(*arguments, image):
        name = f"sandbox-test-{uuid.uuid4().hex[:12]}"
        started.append(name)
        options, command = split(arguments)
        docker("run", "--detach", "--name", name, *options, image, *command)
        return name

    yield start
    for name in started:
        docker("rm", "--force", "--volumes", name)


def split(arguments):
    """Options of docker run before "--", the container's command after it."""
    at = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:at], arguments[at + 1 :]


def logs(name):
    done = docker("logs", name)
    return done.stdout + done.stderr


def state(name):
    return json.loads(docker("inspect", "--format", "{{json .State}}", name).stdout)


def sql(name, statement, *options, check=True):
    command = ("psql", "-AtX", "-v", "ON_ERROR_STOP=1", "-U", "postgres", *options, "-c", statement)
    return docker("exec", name, *command, check=check)


def serves(name):
    """Over TCP: during the first start the socket answers too, and that server goes away again."""
    return docker("exec", name, "pg_isready", "-q", "-h", "127.0.0.1", check=False).returncode == 0


@pytest.fixture
def postgres(container):
    def start(*arguments):
        name = container("--env", f"POSTGRES_PASSWORD={SECRET}", *arguments, image=POSTGRES)
        wait_for(lambda: serves(name))
        return name

    return start


# --- build --------------------------------------------------------------------------------------------------


def test_a_second_build_changes_nothing_and_takes_less_than_a_second():
    began = time.monotonic()
    done = subprocess.run([BUILD, "base", "postgres", "redis"], check=True, capture_output=True, text=True)
    assert time.monotonic() - began < 1
    assert [line.endswith("is up to date") for line in done.stdout.splitlines()] == [True] * 3


def test_an_unknown_image_is_wrong_usage():
    done = subprocess.run([BUILD, "mysql"], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no image is called 'mysql'" in done.stderr


# --- PostgreSQL ---------------------------------------------------------------------------------------------


def test_the_four_extensions_can_be_created_and_work(postgres):
    name = postgres("--", "-c", "shared_preload_libraries=pg_stat_statements")
    sql(name, "; ".join(f"CREATE EXTENSION {extension}" for extension in EXTENSIONS))
    assert sql(name, "SELECT '[1,2]'::vector <-> '[1,3]'").stdout == "1\n"
    assert sql(name, "SELECT similarity('word', 'words') > 0.5").stdout == "t\n"
    assert sql(name, "SELECT length(gen_random_bytes(4)), encode(digest('', 'md5'), 'hex')").stdout.startswith(
        "4|d41d8"
    )
    assert int(sql(name, "SELECT count(*) FROM pg_stat_statements").stdout) > 0


def test_a_role_that_is_no_superuser_cannot_create_pg_stat_statements(postgres):
    name = postgres()
    sql(name, "CREATE ROLE app LOGIN")
    sql(name, "CREATE DATABASE app OWNER app")
    as_app = ("-U", "app", "-d", "app")
    assert sql(name, "CREATE EXTENSION pg_trgm", *as_app).returncode == 0
    refused = sql(name, "CREATE EXTENSION pg_stat_statements", *as_app, check=False)
    assert "permission denied to create extension" in refused.stderr


def test_init_scripts_run_in_order_on_the_first_start_only(postgres, tmp_path):
    (tmp_path / "1-table.sql").write_text("CREATE TABLE ran (who text)")
    (tmp_path / "2-run.sh").write_text("#!/bin/sh\npsql -U postgres -d app -c \"INSERT INTO ran VALUES ('run')\"\n")
    (tmp_path / "2-run.sh").chmod(0o755)
    (tmp_path / "3-read.sh").write_text("docker_process_sql <<<\"INSERT INTO ran VALUES ('read $(id -u)')\"\n")
    (tmp_path / "4-ignored.txt").touch()
    tmp_path.chmod(0o755)
    name = postgres("--env", "POSTGRES_DB=app", "--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro")
    docker("restart", name)
    wait_for(lambda: serves(name))
    assert sql(name, "SELECT who FROM ran", "-d", "app").stdout.split("\n") == ["run", "read 999", ""]
    assert "Skipping initialization" in logs(name)


def test_the_cluster_of_the_first_start_does_not_listen_on_the_network(postgres):
    said = logs(postgres())
    first, second = said.split("PostgreSQL init process complete")
    assert "listening on IPv4" not in first
    assert 'listening on IPv4 address "0.0.0.0", port 5432' in second


def test_without_a_password_the_first_start_is_refused(container):
    name = container(image=POSTGRES)
    wait_for(lambda: not state(name)["Running"])
    assert state(name)["ExitCode"] == 1
    assert "You must specify POSTGRES_PASSWORD" in logs(name)


def test_pgdata_below_the_mount_point_is_where_the_cluster_lies(postgres):
    folder = "/var/lib/postgresql/data/clusters/one"
    name = postgres("--env", f"PGDATA={folder}")
    assert docker("exec", name, "stat", "-c", "%u %a", folder).stdout == "999 700\n"
    assert docker("exec", name, "cat", f"{folder}/PG_VERSION").stdout == "16\n"


def test_data_survive_a_kill_and_a_restart(postgres):
    name = postgres()
    sql(name, "CREATE TABLE kept AS SELECT 1")
    docker("kill", name)
    docker("start", name)
    wait_for(lambda: serves(name))
    assert sql(name, "SELECT * FROM kept").stdout == "1\n"


@pytest.mark.parametrize(("password", "code"), [(SECRET, 0), ("wrong", 2), ("", 2)])
def test_over_the_network_the_password_counts(postgres, password, code):
    name = postgres()
    address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", name).stdout.strip()
    client = ("psql", "-wAtX", "-h", address, "-U", "postgres", "-c", "SELECT 1")
    assert docker("exec", "--env", f"PGPASSWORD={password}", name, *client, check=False).returncode == code


def test_docker_stop_shuts_the_database_down_cleanly(postgres):
    name = postgres()
    docker("stop", "--time", "20", name)
    assert state(name)["ExitCode"] == 0
    assert "received fast shutdown request" in logs(name)
    assert logs(name).rstrip().endswith("database system is shut down")


def test_a_half_made_cluster_is_taken_for_a_whole_one_as_the_official_image_does(container, tmp_path):
    (tmp_path / "stop.sh").write_text("sleep 600\n")
    tmp_path.chmod(0o755)
    options = ("--env", f"POSTGRES_PASSWORD={SECRET}", "--env", "POSTGRES_DB=app")
    name = container(*options, "--volume", f"{tmp_path}:/docker-entrypoint-initdb.d:ro", image=POSTGRES)
    wait_for(lambda: "running /docker-entrypoint-initdb.d/stop.sh" in logs(name))
    docker("kill", name)
    docker("start", name)
    wait_for(lambda: serves(name))
    assert "Skipping initialization" in logs(name)


def test_the_client_programs_are_on_the_path(postgres):
    name = postgres()
    programs = "pg_dump pg_restore pg_basebackup pg_receivewal pg_verifybackup psql pg_isready pgbench pg_ctl"
    for program in programs.split():
        assert docker("exec", name, program, "--version").stdout.rstrip().endswith("16.14")


# --- Redis --------------------------------------------------------------------------------------------------


@pytest.fixture
def redis(container):
    """Started as the stack does: its configuration, password included, comes on stdin."""
    settings = r"requirepass %s\nappendonly yes\nappendfsync always\n"
    command = f'printf "{settings}" "$PASSWORD" | docker-entrypoint.sh redis-server -'
    name = container("--env", f"PASSWORD={SECRET}", "--entrypoint", "sh", "--", "-c", command, image=REDIS)
    wait_for(lambda: ask(name, "PING") == "PONG")
    return name


def ask(name, *words, password=SECRET):
    return docker("exec", "--env", f"REDISCLI_AUTH={password}", name, "redis-cli", *words, check=False).stdout.strip()


def test_redis_wants_its_password(redis):
    assert "NOAUTH" in docker("exec", redis, "redis-cli", "GET", "x", check=False).stdout
    assert "NOAUTH" in ask(redis, "GET", "x", password="wrong")


def test_redis_runs_as_uid_999_and_its_password_is_in_no_argv(redis):
    processes = docker("top", redis, "-eo", "pid,uid,args").stdout
    assert any(line.split()[1:3] == ["999", "redis-server"] for line in processes.splitlines()), processes
    assert SECRET not in processes


def test_what_redis_was_told_survives_a_kill(redis):
    ask(redis, "SET", "job", "waiting")
    docker("kill", redis)
    docker("start", redis)
    wait_for(lambda: ask(redis, "PING") == "PONG")
    assert ask(redis, "GET", "job") == "waiting"


def test_redis_takes_options_alone_and_stops_cleanly(container):
    name = container("--", "--appendonly", "yes", image=REDIS)
    wait_for(lambda: docker("exec", name, "redis-cli", "PING", check=False).stdout == "PONG\n")
    docker("stop", "--time", "20", name)
    assert state(name)["ExitCode"] == 0
