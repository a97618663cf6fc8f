"""Physical sets on a real engine: taken under write load, back row by row, refused where a byte is not as it was."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.processes import Processes
from chatwoot_ops.errors import RestoreFailedError
from chatwoot_ops.operations.base_backup import AHEAD
from chatwoot_ops.operations.opening import open_with, place_of
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_set
from sets import rewrite
from stack.tools import BIN, docker
from stack_backup.kills import Kill, kill_and_end, leaves_nothing_half, matrix
from stack_backup.support import cluster, live, lost, nobody_writing, rows, sets, structure, writing

PHYSICAL = ("backup", "--kind", "physical")


def physical_set(stack):
    """The first physical set, made where there is none yet."""
    if not [path for path in sets(stack) if path.name.endswith("-physical")]:
        stack.invoke(*PHYSICAL)
    return next(path for path in sets(stack) if path.name.endswith("-physical"))


@pytest.fixture
def copy(standing, tmp_path):
    """A copy of a physical set, to be damaged."""
    whole = physical_set(standing)
    return shutil.copytree(whole, tmp_path / whole.name)


@contextmanager
def other_passwords(stack):
    """Both roles have passwords in the database that `.env` does not know."""

    def give(names):
        for role, password in names.items():
            stack.sql(f"ALTER ROLE {role} PASSWORD '{password}'")

    give({"postgres": "not-what-env-says", "chatwoot": "not-what-env-says-either"})
    try:
        yield
    finally:
        settings = stack.settings
        give({"postgres": settings["POSTGRES_SUPERUSER_PASSWORD"], "chatwoot": settings["POSTGRES_PASSWORD"]})


def verifiers(stack):
    return stack.sql("SELECT rolname, rolpassword FROM pg_authid WHERE rolname IN ('postgres', 'chatwoot') ORDER BY 1")


def within_reach(before, after):
    """Sequences may be ahead by what recovery takes them."""
    values = [dict(line.split("|") for line in lines) for lines in (before, after)]
    assert values[0].keys() == values[1].keys()
    for name, value in values[0].items():
        assert int(value or 0) <= int(values[1][name] or 0) <= int(value or 0) + AHEAD, name


def test_every_table_of_the_cluster_comes_back_and_the_roles_have_the_passwords_of_the_settings(standing):
    with nobody_writing(standing), other_passwords(standing):
        before, built = rows(standing), structure(standing)
        standing.invoke(*PHYSICAL)
        kept = verifiers(standing)
    after_set = standing.client.write("after the physical set")
    told = json.loads(standing.invoke("restore", "--yes", "--json").out)["result"]
    assert (told["kind"], told["storage"]["missing"], told["storage"]["wrong"]) == ("physical", [], [])
    with nobody_writing(standing):
        after, rebuilt = rows(standing), structure(standing)
        now = verifiers(standing)
    for name, lines in before.items():
        assert after.get(name) == lines, f"{name} is not as it was"
    assert after.keys() == before.keys()
    within_reach(built.pop("sequences"), rebuilt.pop("sequences"))
    assert rebuilt == built
    assert lost(standing, [after_set]) == [after_set]
    # Web and worker sign in with the passwords of .env: the set's own would keep them out.
    assert not set(kept.splitlines()) & set(now.splitlines())
    standing.invoke("smoke", "--quick")
    leaves_nothing_half(standing)
    assert "physical" in standing.invoke("backups").out


def test_every_message_acknowledged_before_the_backup_is_in_a_physical_set_taken_under_write_load(standing):
    with writing(standing) as people:
        people[0].stop.wait(2)
        before = {text for person in people for text in person.acknowledged}
        standing.invoke(*PHYSICAL)
    assert len(before) > 5
    assert [refused for person in people for refused in person.refused] == []
    standing.invoke("backup", "--verify")
    standing.invoke("restore", "--set", sets(standing)[-1].name, "--yes")
    assert lost(standing, [*standing.in_set, *before]) == []
    assert standing.sql("SELECT count(*) FROM pg_replication_slots") == "0"


def test_a_page_whose_checksum_is_wrong_gives_no_set(standing):
    standing.sql("CREATE TABLE spoilt AS SELECT repeat('x', 500) FROM generate_series(1, 200)")
    try:
        standing.sql("CHECKPOINT")
        path = standing.sql("SELECT pg_relation_filepath('spoilt')")
        spoil = f"cd /var/lib/postgresql/data/current/ && printf x | dd of={path} bs=1 seek=9000 conv=notrunc"
        docker("exec", standing.container("chatwoot-db"), "sh", "-c", spoil)
        before = sets(standing)
        answer = standing.invoke(*PHYSICAL, code=22)
        assert "checksum verification failed" in answer.err
        assert sets(standing) == before
    finally:
        standing.sql("DROP TABLE spoilt")


def test_a_flipped_byte_in_the_archive_is_refused_before_anything_is_touched(standing, copy):
    archive = next(copy.glob("cluster.tar.*"))
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    before = live(standing)
    answer = standing.invoke("restore", "--set", str(copy), "--yes", code=13)
    assert f"{archive.name}: its content is not what was written" in answer.err
    assert live(standing) == before


@pytest.mark.parametrize(
    ("facts", "code", "says"),
    [
        ({"major": 15}, 13, "PostgreSQL major version: 15 in the set, 16 here"),
        ({"architecture": "riscv64"}, 13, "processor architecture: riscv64 in the set"),
        ({"collation_version": "2.99"}, 26, "collation version: 2.99 in the set"),
        pytest.param({"encoding": "LATIN1"}, 26, "encoding: LATIN1 in the set", marks=pytest.mark.matrix),
        pytest.param({"system_identifier": "7"}, 26, "system_identifier: 7 in the set", marks=pytest.mark.matrix),
    ],
    ids=str,
)
def test_a_cluster_that_is_not_fit_for_this_image_never_serves(standing, copy, facts, code, says):
    rewrite(copy, cluster=replace(read_set(copy).manifest.cluster, **facts))
    before = live(standing)
    assert says in standing.invoke("restore", "--set", str(copy), "--yes", code=code).err
    assert live(standing) == before
    leaves_nothing_half(standing)


@dataclass(slots=True)
class Meddling(Processes):
    """Changes a file of the cluster as soon as it is unpacked."""

    script: str = ""

    def run(self, command):
        done = Processes.run(self, command)
        if command.purpose == "Unpacking the cluster":
            inside = next(part for part in command.argv if part.startswith("stacktest-"))
            docker("exec", inside, "sh", "-c", f"cd /var/lib/postgresql/data/clusters/*.partial && {self.script}")
        return done


ONE_BYTE = "printf x | dd of=$(find base -size +64k | head -n 1) bs=1 seek=9000 conv=notrunc"
CHANGES = {
    "a byte of a table": (ONE_BYTE, "checksum mismatch"),
    "a file that is gone": ("rm global/pg_filenode.map", "is present in the manifest but not on disk"),
    "a file too many": ("echo x > base/1/99999", "is present on disk but not in the manifest"),
    "WAL that is gone": ("rm pg_wal/0*", "WAL parsing failed"),
}


@pytest.mark.parametrize(
    "what", [pytest.param(name, marks=() if "byte" in name else pytest.mark.matrix) for name in CHANGES]
)
def test_a_cluster_whose_file_was_changed_after_unpacking_fails_verification_and_never_serves(standing, what):
    script, says = CHANGES[what]
    host = Host(BIN / "docker-compose", processes=Meddling(script=script))
    stack = open_with(place_of(standing.checkout, str(standing.env_file)), host)
    source, before = source_of_set(stack, physical_set(standing).name), cluster(standing)
    with pytest.raises(RestoreFailedError, match="The unpacked cluster is not what was backed up") as caught:
        restore(stack, host, source, RestoreOptions(yes=True))
    assert any(says in line for line in caught.value.details), caught.value.details
    assert cluster(standing) == before
    leaves_nothing_half(standing)


@pytest.mark.parametrize(("step", "way"), matrix("physical backup"))
def test_a_physical_backup_that_was_killed(standing, step, way):
    before = sets(standing)
    kill_and_end(standing, Kill("physical backup", step, way, PHYSICAL))
    assert len(sets(standing)) == len(before) + (way == "finish")
    standing.invoke("backup", "--verify")


@pytest.mark.parametrize(("step", "way"), matrix("physical restore"))
def test_a_physical_restore_that_was_killed(standing, step, way):
    task = ("restore", "--set", physical_set(standing).name, "--yes")
    kill_and_end(standing, Kill("physical restore", step, way, task))
