"""Golden command lines of backup, restore and upgrade; none of them holds a secret."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from chatwoot_ops.commands import backup, compose, physical, staging, stored_files
from chatwoot_ops.model.cluster import COMPRESSIONS
from fakes import COMPOSE, shown

DB_IMAGE, DB, STORAGE = "pgvector/pgvector:pg16", "chatwoot-db-data", "chatwoot-storage"
WHERE = "-U postgres -d chatwoot_production"
LABELS = "--label com.docker.compose.project=chatwoot --label chatwoot-ops.operation=op1"
IN_DATABASE = f"docker run --rm -i --network none --user 0 --volume {DB}:/volume --entrypoint sh {DB_IMAGE} -c "
IN_STORAGE = f"docker run --rm -i --network none --user 0 --volume {STORAGE}:/volume"
BUILDER = "chatwoot-restore-op1"
ASK = f"docker exec -i {BUILDER} psql -X -q -t -A -v ON_ERROR_STOP=1 -h 127.0.0.1 {WHERE}"
SERVER = (
    "postgres -c listen_addresses=127.0.0.1 -c shared_buffers=256MB -c maintenance_work_mem=256MB -c max_wal_size=4GB "
    "-c checkpoint_timeout=1h -c wal_level=minimal -c max_wal_senders=0 -c autovacuum=off"
)
BESIDE = (
    f"docker run --rm --log-driver none {LABELS} --cpu-shares 512 --network container:db1 --env PGHOST=127.0.0.1 "
    "--env PGUSER=postgres"
)
NEW = "/var/lib/postgresql/data/clusters/new.partial"
LOAD = f"--no-owner --no-privileges --exit-on-error -h 127.0.0.1 {WHERE}"


@pytest.fixture
def values():
    return {"POSTGRES_IMAGE": DB_IMAGE}


def dumping(stack):
    return backup.dump(stack, database="abc", operation="op1", snapshot="0-1-1")


def built(stack):
    """Each builder with the line it makes."""
    return {
        f"compose exec -T chatwoot-db psql -X -q -t -A -v ON_ERROR_STOP=1 {WHERE}": backup.snapshot_session(
            stack, COMPOSE
        ),
        "compose ps --quiet chatwoot-db": compose.container(stack, COMPOSE, "chatwoot-db"),
        f"docker run --rm --log-driver none {LABELS} --cpu-shares 512 --network container:abc --env PGHOST=127.0.0.1 "
        f"--env PGUSER=postgres --entrypoint sh {DB_IMAGE} -c {backup._DUMP} sh -Fc --snapshot=0-1-1 {WHERE}": dumping(
            stack
        ),
        f"docker run --rm --log-driver none {LABELS} --cpu-shares 512 --network container:abc --env PGHOST=127.0.0.1 "
        f"--env PGUSER=postgres --user 0 --volume /b/s:/set --entrypoint sh {DB_IMAGE} -c {backup._DUMP} sh -Fc "
        f"--snapshot=0-1-1 --file=/set/x.dump {WHERE}": backup.dump(
            stack, database="abc", operation="op1", snapshot="0-1-1", file=Path("/b/s/x.dump")
        ),
        f"docker run --rm --network none --user 0 --volume /b/s:/set:ro --entrypoint pg_restore {DB_IMAGE} --list "
        "/set/database.dump": backup.dump_contents(DB_IMAGE, Path("/b/s"), "database.dump"),
        f"docker run --rm --log-driver none -i --network none --entrypoint pg_restore {DB_IMAGE} --list": (
            backup.piped_contents(DB_IMAGE)
        ),
        f"docker run --rm --log-driver none {LABELS} --cpu-shares 512 --volume {STORAGE}:/volume:ro --network none "
        f"--user 0 --entrypoint tar {DB_IMAGE} --create --directory=/volume --exclude=./.chatwoot* "
        "--exclude=./.restore* --file=- .": backup.storage(stack, operation="op1"),
        f"docker run --rm --log-driver none {LABELS} --cpu-shares 512 --volume /srv/files:/volume:ro --network none "
        f"--user 0 --entrypoint tar {DB_IMAGE} --create --directory=/volume --exclude=./.chatwoot* "
        "--exclude=./.restore* --file=- .": backup.archive(stack, "/srv/files", operation="op1"),
        f"docker run --rm --log-driver none {LABELS} --cpu-shares 512 --volume {STORAGE}:/volume:ro --network none "
        f"--user 0 -i --entrypoint tar {DB_IMAGE} --create --directory=/volume --exclude=./.chatwoot* "
        "--exclude=./.restore* --anchored --no-wildcards --exclude-from=- --file=- .": backup.storage(
            stack, operation="op1", without=("./ab/cd/abcd",)
        ),
        f"compose exec -T chatwoot-db psql -X -q -t -A {WHERE} -c SELECT pg_database_size(current_database())": (
            backup.space(stack, COMPOSE)
        ),
        f"compose run -d --no-deps --label chatwoot-ops.operation=op1 --name {BUILDER} --volume /b/s:/set:ro "
        f"--entrypoint /bin/sh chatwoot-db /chatwoot-ops/stage.sh new {SERVER}": staging.start(
            stack, COMPOSE, operation="op1", cluster="new", folder=Path("/b/s")
        ),
        ASK: staging.ask(stack, "op1", "SELECT 1;"),
        f"{ASK} ": staging.session(stack, "op1"),
        f"docker exec {BUILDER} pg_restore --jobs 2 {LOAD} /set/x.dump": staging.load(stack, "op1", "x.dump"),
        f"docker exec -i {BUILDER} sh -c cat > /tmp/use.list && exec pg_restore --use-list=/tmp/use.list "
        f'"$@" sh --jobs 2 {LOAD} /set/x.dump': staging.load(stack, "op1", "x.dump", "1; 2 3 TABLE x\n"),
        f"docker exec -i {BUILDER} pg_restore {LOAD}": staging.load_from_pipe(stack, "op1"),
        f"docker stop --time 120 {BUILDER}": staging.end(stack, "op1"),
        f"docker logs --tail 12 {BUILDER}": staging.last_words(stack, "op1"),
        f"docker rm --force {BUILDER}": staging.remove(stack, "op1"),
        f"{IN_DATABASE}mv -T /volume/clusters/new.partial /volume/clusters/new && sync": staging.name_cluster(
            stack, "new"
        ),
        f"{IN_DATABASE}[ -s /volume/clusters/a/PG_VERSION ]": staging.has_cluster(stack, "clusters/a"),
        f"{IN_DATABASE}readlink /volume/current || true": staging.current_cluster(stack),
        f"{IN_DATABASE}cd /volume && ln -sfn clusters/new current.new && mv -T current.new current && sync": (
            staging.swap(stack, "clusters/new")
        ),
        f"{IN_DATABASE}cd /volume && rm -f current && sync": staging.swap(stack, ""),
        f"{IN_DATABASE}cd /volume && [ ! -d clusters ] || find ./clusters -mindepth 1 -maxdepth 1 "
        "! -path './clusters/a' ! -path './clusters/b' -exec rm -rf {} +": staging.remove_clusters_but(
            stack, "clusters/a", "", "clusters/b"
        ),
        f"{IN_DATABASE}rm -rf /volume/clusters/new /volume/clusters/new.partial": staging.remove_partial(stack, "new"),
        **of_clusters(stack),
    }


def of_clusters(stack):
    return {
        f"{BESIDE} --env LC_ALL=C --entrypoint pg_basebackup {DB_IMAGE} --no-password --pgdata=- --format=tar "
        "--wal-method=fetch --checkpoint=fast --no-sync --verbose --manifest-checksums=CRC32C "
        "--compress=client-zstd:level=1,workers=2": physical.base_backup(
            stack, database="db1", operation="op1", compression=COMPRESSIONS[0]
        ),
        f"compose run -d --no-deps --label chatwoot-ops.operation=op1 --name {BUILDER} --volume /b/s:/set:ro "
        "--entrypoint /bin/sh chatwoot-db /chatwoot-ops/unpack.sh new postgres -c listen_addresses=127.0.0.1 "
        "-c shared_buffers=256MB -c max_wal_size=4GB -c checkpoint_timeout=1h -c archive_mode=off "
        "-c synchronous_standby_names= -c autovacuum=off": physical.start(
            stack, COMPOSE, operation="op1", cluster="new", folder=Path("/b/s")
        ),
        f"docker exec {BUILDER} sh -c until [ -d {NEW} ]; do sleep 0.1; done; tar --extract --directory={NEW} "
        f'"$@" || exit; sync -f {NEW} </dev/null >/dev/null 2>&1 & sh '
        "--file=/set/cluster.tar.lz4 --use-compress-program=lz4": physical.unpack(
            stack, "op1", "new", "cluster.tar.lz4", COMPRESSIONS[1]
        ),
        f'docker exec --user postgres {BUILDER} sh -c pg_verifybackup "$0" {NEW}': physical.verify(
            stack, "op1", "new", serve=False
        ),
        f'docker exec --user postgres {BUILDER} sh -c pg_verifybackup "$0" && echo > /tmp/serve {NEW}': physical.verify(
            stack, "op1", "new", serve=True
        ),
        f'docker exec --user postgres {BUILDER} sh -c touch "$0/recovery.signal" && echo > /tmp/serve {NEW}': (
            physical.recover(stack, "op1", "new")
        ),
    }


def of_scripts(stack):
    return (
        physical.able(stack, COMPOSE, "SELECT 1;"),
        physical.image_abilities(DB_IMAGE),
        staging.outline(stack, "op1", "x.dump"),
        stored_files.place_files(stack),
        stored_files.list_files(stack),
        stored_files.list_sizes(stack),
        backup.stored_files(stack, operation="op1"),
        staging.copy_cluster(stack, "clusters/old", "new"),
    )


def test_each_is_called_so(stack):
    for line, command in built(stack).items():
        assert shown(command) == line.rstrip()


def test_a_dump_of_a_snapshot_is_told_whose_it_is():
    told = backup.dump_arguments("0-1-1", ("-U", "postgres", "-d", "chatwoot"))
    assert told == ("-c", backup._DUMP, "sh", "-Fc", "--snapshot=0-1-1", "-U", "postgres", "-d", "chatwoot")


def test_every_public_builder_is_seen_here():
    text = Path(__file__).read_text(encoding="utf-8")
    for module in (backup, physical, staging):
        own = [name for name, each in vars(module).items() if getattr(each, "__module__", "") == module.__name__]
        lacking = [n for n in own if not n.startswith("_") and f"{module.__name__.rpartition('.')[2]}.{n}(" not in text]
        assert lacking in ([], ["beside"], ["container"], ["recovering"])


def test_no_secret_is_in_any_argv(stack):
    values = stack.settings.secrets().values()
    assert len(values) == 8
    for command in (*built(stack).values(), *of_scripts(stack)):
        line = " ".join((*command.argv, command.purpose))
        assert not [value for value in values if value in line]


def test_compression_is_tried_on_the_build_itself_best_first(stack):
    (script,) = [word for word in dumping(stack).argv if "pg_dump" in word]
    assert "for method in zstd:1 lz4 gzip:1; do" in script
    assert script.endswith('exec pg_dump --compress="$method" "$@"\n')


@pytest.mark.parametrize("best", ["zstd:1", "lz4", "gzip:1"])
def test_the_dump_is_compressed_by_the_first_method_that_its_program_has(stack, tmp_path, best):
    program = tmp_path / "pg_dump"
    program.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *--schema-only*--compress={best}*) exit 0;; *--schema-only*) exit 1;; esac\n'
        'echo "$*"\n'
    )
    program.chmod(0o755)
    argv = dumping(stack).argv
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(("sh", *argv[argv.index("-c") :]), env=path, capture_output=True, text=True, check=True)
    assert done.stdout == f"--compress={best} -Fc --snapshot=0-1-1 {WHERE}\n"


def programs(folder, **scripts):
    """Programs of these names and scripts in a folder that is the whole PATH, beside the shell's own."""
    folder.mkdir()
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    for name in ("sh", "uname", "sed"):
        (folder / name).symlink_to(shutil.which(name))
    return {"PATH": str(folder), "POSTGRES_USER": "postgres"}


CAN = {
    "all": (("zstd", "lz4", "gzip"), "*", "zstd"),
    "a server without zstd": (("zstd", "lz4", "gzip"), "*lz4", "lz4"),
    "an image without lz4": (("zstd", "gzip"), "*lz4", "gzip"),
    "gzip alone": (("gzip",), "*gzip", "gzip"),
}


@pytest.mark.parametrize("what", CAN)
def test_an_archive_is_packed_only_by_what_both_server_and_image_have(stack, tmp_path, what):
    image, server, best = CAN[what]
    dump = f'case "$*" in {server}) exit 0;; *) exit 1;; esac'
    environment = programs(tmp_path / "bin", pg_dump=dump, psql="echo $*", **dict.fromkeys(image, "exit 0"))
    argv = physical.able(stack, COMPOSE, "SELECT 1;").argv
    done = subprocess.run(argv[argv.index("sh") :], env=environment, capture_output=True, text=True, check=True)
    told = f"-X -q -t -A -v ON_ERROR_STOP=1 {WHERE}"
    assert done.stdout.splitlines() == [f"{best} {os.uname().machine}", told]


def test_an_image_says_its_architecture_its_major_version_and_what_it_can_unpack(tmp_path):
    environment = programs(tmp_path / "bin", postgres="echo 'postgres (PostgreSQL) 16.14 (Debian)'", gzip="", zstd="")
    script = physical.image_abilities(DB_IMAGE).argv[-1]
    done = subprocess.run(("sh", "-c", script), env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [os.uname().machine, "16", "zstd", "gzip"]


def test_the_storage_is_read_only_for_a_look_and_writable_for_files(stack):
    looks, writes = shown(stored_files.list_files(stack)), shown(stored_files.place_files(stack))
    assert looks.startswith(f"{IN_STORAGE}:ro --entrypoint sh {DB_IMAGE} -c")
    assert writes.startswith(f"{IN_STORAGE} --entrypoint sh {DB_IMAGE} -c")


def test_a_cluster_is_copied_under_a_temporary_name_and_named_once_it_is_whole(stack):
    script = staging.copy_cluster(stack, "clusters/old", "new").argv[-1]
    assert script.startswith("old='clusters/old' new='new'\n")
    assert script.index("sync; mv -T") > script.index("cp -a")


def test_what_reads_and_writes_whole_databases_has_hours(stack):
    for command in (
        dumping(stack),
        backup.storage(stack, operation="op1"),
        backup.stored_files(stack, operation="op1"),
        stored_files.list_files(stack),
        backup.snapshot_session(stack, COMPOSE),
        staging.load(stack, "op1", "x"),
        staging.load_from_pipe(stack, "op1"),
        staging.session(stack, "op1"),
        staging.copy_cluster(stack, "", "x"),
        physical.base_backup(stack, database="db1", operation="op1", compression=COMPRESSIONS[0]),
        physical.unpack(stack, "op1", "new", "x", COMPRESSIONS[0]),
        physical.verify(stack, "op1", "new", serve=True),
    ):
        assert command.timeout >= 6 * 3600


def test_sql_travels_by_standard_input(stack):
    assert staging.ask(stack, "op1", "SELECT 1;").stdin == "SELECT 1;"
