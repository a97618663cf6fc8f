"""A physical set on its way into service: refused where it cannot run, verified file by file, recovered, compared."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

from dataclasses import replace
from pathlib import Path

import pytest

from chatwoot_ops import console
from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.errors import BackupSetInvalidError, RestoreFailedError
from chatwoot_ops.model.backup_set import Encryption
from chatwoot_ops.model.command import Finished
from chatwoot_ops.operations.base_backup import AHEAD
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_again, source_of_set
from chatwoot_ops.operations.unpacking import cluster_problems, passwords_sql
from fakes import SPOKEN
from keeping import COUNTS, facts_answer, well_physical
from sets import ARCHIVE, ARCHIVE_NAME, BLOBS, CLUSTER, DATA, FILES, OUTLINED, blob_lines, digest_lines, sealed_physical
from world import INSTALLED, INSTANCE, stack_in

YES = RestoreOptions(yes=True)
SPEAKS = f"-h 127.0.0.1 -U postgres -d chatwoot_production\n{SPOKEN}"
VERIFY = "pg_verifybackup"


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def volume(well):
    return well_physical(well)


@pytest.fixture
def source(stack):
    sealed_physical(stack.backup_folder)
    return source_of_set(stack, "latest")


def says(data):
    return "\n".join([*blob_lines(BLOBS), '["end"]', *digest_lines(data)])


def refused(stack, well, source, match):
    """The old data serves, and what was built is gone."""
    with pytest.raises(RestoreFailedError, match=match) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 26
    assert not well.processes.ran_with("compose stop")
    assert well.processes.ran_with("docker rm --force chatwoot-restore-")
    assert well.processes.ran_with("rm -rf /volume/clusters/")
    return caught.value


def test_a_set_is_unpacked_verified_recovered_and_only_then_swapped_in(stack, well, volume, source, capsys):
    result = restore(stack, well, source, YES)
    lines = well.processes.lines
    parts = (
        *("/chatwoot-ops/unpack.sh", "tar --extract --directory=/var/lib", VERIFY, "echo > /tmp/serve"),
        *("docker stop --time", "mv -T /volume/clusters/", "tar --extract --file=-", "compose stop chatwoot-db"),
        "mv -T current.new current",
    )
    places = [next(number for number, line in enumerate(lines) if part in line) for part in parts]
    assert places == sorted(places)
    assert len(volume.swaps) == 1
    assert not [line for line in lines if "pg_restore" in line or "/chatwoot-ops/stage.sh" in line]
    assert (result.kind, result.rows, result.storage.proved) == ("physical", 0, 2)
    console.show(result)
    assert "each file of the cluster is what was backed up" in capsys.readouterr().out


@pytest.mark.usefixtures("volume")
def test_no_table_is_read_and_no_index_built(stack, well, source):
    restore(stack, well, source, YES)
    sent = "".join((*(each.stdin or "" for each in well.processes.ran), *well.processes.sessions[-1].sent))
    assert "hash_record_extended" not in sent
    assert "REINDEX" not in sent


def test_an_archive_with_a_flipped_byte_is_refused_before_anything_is_touched(stack, well, volume, source):
    content = bytearray(source.dump.read_bytes())
    content[0] ^= 1
    source.dump.write_bytes(content)
    with pytest.raises(BackupSetInvalidError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 13
    assert caught.value.details == (f"{ARCHIVE_NAME}: its content is not what was written",)
    assert well.processes.ran == []
    assert volume.swaps == []


def test_a_file_that_is_not_what_was_backed_up_never_serves(stack, well, volume, source):
    said = 'pg_verifybackup: error: checksum mismatch for file "base/5/1259"'
    well.processes.on(VERIFY, code=1, stderr=said)
    error = refused(stack, well, source, "The unpacked cluster is not what was backed up")
    assert error.details == (said,)
    assert not well.processes.ran_with("-h 127.0.0.1"), "nobody waits for a server"
    assert volume.swaps == []


def test_an_archive_that_does_not_fit_into_the_volume_leaves_the_old_data(stack, well, volume, source):
    well.processes.on("tar --extract --directory=/var/lib", code=2, stderr="tar: base/5/1: No space left on device")
    error = refused(stack, well, source, "unpacking the cluster")
    assert "No space left" in error.details[0]
    assert volume.swaps == []


def test_a_cluster_that_does_not_come_out_of_recovery_says_its_last_words(stack, well, volume, source):
    well.processes.on("docker exec -i chatwoot-restore-", code=1, stderr="Container 1a2b is not running")
    well.processes.on("docker logs", "FATAL: WAL ends before end of online backup")
    error = refused(stack, well, source, "did not start")
    assert error.details == ("FATAL: WAL ends before end of online backup",)
    assert volume.swaps == []


def test_recovery_is_given_hours(stack, well, source, volume):
    well.processes.on("docker exec -i chatwoot-restore-", code=2, stderr="the database system is starting up")
    well.processes.on("docker logs", "redo in progress")
    refused(stack, well, source, "did not start")
    assert well.clock.passed > 3600
    assert volume.swaps == []


FOREIGN = {
    "aarch64\n16\nzstd\n": "processor architecture: x86_64 in the set, aarch64 here",
    "x86_64\n17\nzstd\n": "PostgreSQL major version: 16 in the set, 17 here",
    "x86_64\n16\ngzip\n": f"{ARCHIVE_NAME}: the database image has no zstd to unpack it",
}


@pytest.mark.parametrize("image", FOREIGN)
def test_a_cluster_that_cannot_run_here_is_refused_before_anything_is_touched(stack, well, volume, source, image):
    well.processes.on("uname -m; postgres --version", image)
    with pytest.raises(BackupSetInvalidError, match="cannot run here") as caught:
        restore(stack, well, source, YES)
    assert caught.value.details == (FOREIGN[image],)
    assert not well.processes.ran_with("unpack.sh")
    assert volume.swaps == []


@pytest.mark.parametrize(
    ("name", "mine"),
    [("POSTGRES_SUPERUSER", "chief"), ("POSTGRES_DATABASE", "chatwoot")],
    ids=["superuser", "database"],
)
def test_a_cluster_whose_names_are_not_those_of_the_settings_is_refused(tmp_path, well, volume, source, name, mine):
    stack = stack_in(tmp_path, **INSTALLED, **{name: mine})
    with pytest.raises(BackupSetInvalidError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.details[0].startswith(f"{name}: ")
    assert volume.swaps == []


def test_an_archive_of_an_unknown_kind_is_refused(stack, well, volume):
    sealed_physical(stack.backup_folder, archive="cluster.tar.xz")
    with pytest.raises(BackupSetInvalidError) as caught:
        restore(stack, well, source_of_set(stack, "latest"), YES)
    assert caught.value.details == ("cluster.tar.xz: packed in a way that this version does not know",)
    assert volume.swaps == []


@pytest.mark.parametrize("found", ["2.41", ""])
def test_a_collation_of_another_version_never_serves(stack, well, volume, source, found):
    well.processes.on("'able'", facts_answer(collation_version=found))
    error = refused(stack, well, source, "not fit for this image")
    here = found or "none"
    assert error.details == (f"collation version: 2.36 in the set, {here} here; indexes of text would miss rows",)
    assert "POSTGRES_IMAGE" in error.remedy
    assert volume.swaps == []


@pytest.mark.parametrize("name", ["system_identifier", "major", "database", "encoding", "collation", "data_checksums"])
def test_each_fact_that_differs_is_a_line(name):
    facts = {each: getattr(CLUSTER, each) for each in CLUSTER.__slots__}
    assert cluster_problems(CLUSTER, facts) == ()
    assert cluster_problems(CLUSTER, {**facts, name: "other"}) == (
        f"{name}: {getattr(CLUSTER, name)} in the set, other here",
    )


WRONG = {
    "a trigger": (replace(OUTLINED, triggers=3), "triggers: 4 expected, 3 found"),
    "an extension": (replace(OUTLINED, extensions={}), "extension vector: missing"),
    "a migration": (replace(OUTLINED, migrations=DATA.migrations[:1]), f"migration {DATA.migrations[1]}: missing"),
    "a sequence": (replace(OUTLINED, sequences={"public.messages_id_seq": (1, 1)}), "258 to 292 expected, 1 found"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_cluster_that_is_not_what_the_set_promises_never_serves(stack, well, volume, source, what):
    data, line = WRONG[what]
    well.processes.on(SPEAKS, says(data))
    error = refused(stack, well, source, "not what the source promises")
    assert any(line in each for each in error.details)
    assert volume.swaps == []


def test_a_sequence_may_be_as_far_ahead_as_recovery_takes_it():
    low, high = OUTLINED.sequences["public.messages_id_seq"]
    assert high - DATA.sequences["public.messages_id_seq"][1] == AHEAD
    assert low == DATA.sequences["public.messages_id_seq"][0]


@pytest.mark.usefixtures("volume")
def test_keys_that_do_not_open_the_rows_never_serve(stack, well, source):
    well_physical(well, samples=[["webhooks.secret", '{"p":"x","h":{"iv":"y"}}']])
    error = refused(stack, well, source, "not what the source promises")
    assert error.details == ("webhooks.secret: the encryption keys in .env do not open it",)


@pytest.mark.usefixtures("volume")
def test_both_roles_get_the_passwords_of_the_settings_and_no_argv_has_them(stack, well, source):
    restore(stack, well, source, YES)
    (sent,) = [each for each in well.processes.ran if "ALTER ROLE" in (each.stdin or "")]
    for role, name in (("postgres", "POSTGRES_SUPERUSER_PASSWORD"), ("chatwoot", "POSTGRES_PASSWORD")):
        assert f"ALTER ROLE \"{role}\" PASSWORD '{stack.settings[name]}';" in sent.stdin
    assert sent.stdin.index("SET log_statement = 'none'") < sent.stdin.index("ALTER ROLE")
    values = stack.settings.secrets().values()
    assert not [value for value in values for command in well.processes.ran if value in " ".join(command.argv)]


def test_a_quote_in_a_name_or_a_password_stays_inside_it(tmp_path):
    stack = stack_in(tmp_path, POSTGRES_USERNAME='a"b', POSTGRES_PASSWORD="it's")
    assert "ALTER ROLE \"a\"\"b\" PASSWORD 'it''s';" in passwords_sql(stack)


@pytest.mark.usefixtures("volume")
def test_what_a_superuser_made_is_given_to_chatwoots_role(stack, well, source):
    restore(stack, well, source, YES)
    (sent,) = [each.stdin for each in well.processes.ran if "OWNER TO %I" in (each.stdin or "")]
    assert "\\set role 'chatwoot'\n" in sent
    assert not [each for each in well.processes.ran if each.stdin == "ANALYZE;"]


@pytest.mark.usefixtures("volume")
def test_the_instance_is_recorded_anew(stack, well, source):
    restore(stack, well, source, YES)
    (sql,) = [each.stdin for each in well.processes.ran if "DELETE FROM chatwoot_ops.instance" in (each.stdin or "")]
    assert INSTANCE in sql


@pytest.mark.parametrize("recent", [True, False])
def test_only_a_file_whose_row_came_while_the_backup_ran_may_be_missing(stack, well, volume, source, recent):
    key, other = sorted(FILES)
    well.processes.on("join -1 2", f"{key} 8 {'0' * 32}\n")
    well.processes.on("interval '1 minute'", f'[0]\n["{other}"]\n' if recent else "[0]\n[]\n")
    with pytest.raises(RestoreFailedError) as caught:
        restore(stack, well, source, YES)
    assert (f"missing: {other}" in caught.value.details) is not recent
    assert f"wrong: {key}" in caught.value.details
    assert volume.swaps == []


def test_a_set_is_found_again_by_what_the_journal_noted(stack, source):
    assert source.dump.name == ARCHIVE_NAME
    assert source_again(stack, source.noted()) == source


def test_an_encrypted_set_is_opened_for_the_unpacking_and_gone_afterwards(stack, well, volume, tmp_path):
    public, private = make_pair()
    (tmp_path / "key").write_text(private)
    path = sealed_physical(stack.backup_folder, encryption=Encryption((public,), whole=True))
    assert sorted(each.name for each in path.glob("*.age")) == [
        f"{ARCHIVE_NAME}.age",
        "settings.env.age",
        "storage.tar.age",
    ]
    seen = []
    mounted = lambda command: next(Path(part.partition(":/set")[0]) for part in command.argv if ":/set" in part)  # noqa: E731
    well.processes.on_call(
        "/chatwoot-ops/unpack.sh",
        lambda command: (seen.append((mounted(command) / ARCHIVE_NAME).read_bytes()), Finished(0, "id", ""))[1],
    )
    source = source_of_set(stack, "latest")
    assert restore(stack, well, source, RestoreOptions(yes=True, identity=str(tmp_path / "key"))).kind == "physical"
    assert seen == [ARCHIVE]
    assert list(stack.state_folder.glob("opened-*")) == []
    assert len(volume.swaps) == 1


def test_the_highest_rows_are_noted_before_the_cluster_serves_so_that_an_undo_can_count(stack, well, volume, source):
    noted = []
    well.processes.on_call("compose stop", lambda _: noted.append(store_of(stack, well).read()) or Finished(0, "", ""))
    restore(stack, well, source, YES)
    assert noted[0].facts("storage")["high"] == COUNTS
