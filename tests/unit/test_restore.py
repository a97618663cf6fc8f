"""The restore: proved before it serves, swapped in one step, and the old data serves after every failure."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import hashlib
import json
from dataclasses import replace

import pytest

from chatwoot_ops.adapters.age import identity_file, make_pair
from chatwoot_ops.adapters.env_file import read_env_file, with_values
from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.commands import stored_files
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    CommandFailedError,
    ConfirmationMissingError,
    InterruptedByOperatorError,
    NothingServesError,
    PreflightFailedError,
    RestoreFailedError,
    SettingsInvalidError,
)
from chatwoot_ops.model.backup_set import MANIFEST, SETTINGS_ARTIFACT, StorageProof, TableDigest
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.model.upgrade import WAY_BACK
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.restore import restore, restore_from
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.restore_settings import BEFORE_RESTORE, BEFORE_UPGRADE, Given, bring_settings, keys_given
from chatwoot_ops.operations.source import source_of_dump, source_of_set
from fakes import SPOKEN
from sets import BLOBS, DATA, FILES, blob_lines, digest_lines, encrypted, sealed, tar_of
from world import INSTALLED, INSTANCE, ROOT, VERSIONS, database_answer, volume_answer

FIRST = "clusters/first"
YES = RestoreOptions(yes=True)
SPEAKS = f"-h 127.0.0.1 -U postgres -d chatwoot_production\n{SPOKEN}"
HEAD = b"--\n-- PostgreSQL database dump\n--\n-- PostgreSQL database dump complete\n"


@pytest.fixture
def values():
    return INSTALLED


def values_of(stack):
    return read_env_file(stack.env_file).values


def ledger(stack, host):
    return json.loads(store_of(stack, host).ledger.read_text().splitlines()[-1])["outcome"]


def says(data=DATA, blobs=BLOBS, samples=()):
    """What the new cluster answers."""
    return "\n".join([*blob_lines(blobs), *map(json.dumps, samples), '["end"]', *digest_lines(data)])


def interrupt(_):
    raise KeyboardInterrupt


def once(finished=None):
    """Fails, or answers so, the first time only."""
    first = finished or Finished(1, "", "broken")
    return (first if callable(first) else lambda _: first), lambda _: Finished(0, "", "")


def test_a_restore_goes_by_the_designs_order_with_the_web_up(stack, well, volume, source):
    result = restore(stack, well, source, YES)
    assert (result.tables, result.rows, result.storage.proved) == (2, 261, 2)
    lines = well.processes.lines
    parts = (
        *("/chatwoot-ops/stage.sh", "pg_restore --jobs 2", "docker stop --time", "mv -T /volume/clusters/"),
        *("tar --extract", "compose stop chatwoot-sidekiq", "compose stop chatwoot-db", "redis-cli FLUSHALL"),
        *("mv -T current.new current", "compose up -d chatwoot-db chatwoot-redis", "find ./clusters"),
    )
    places = [next(number for number, line in enumerate(lines) if part in line) for part in parts]
    assert places == sorted(places)
    assert not [line for line in lines if line.startswith("compose stop") and "chatwoot-rails" in line]
    assert len(volume.swaps) == 1
    assert ledger(stack, well) == "done"


def test_a_set_of_format_1_is_restored(stack, well, volume, source):
    old = json.loads((ROOT / "tests/manifest-format-1.json").read_text())
    assert old["format"] == 1
    now = json.loads((source.dump.parent / MANIFEST).read_text())
    told = {**{key: old[key] for key in old if key != "seal"}, "artifacts": now["artifacts"], "name": now["name"]}
    seal = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    (source.dump.parent / MANIFEST).write_text(json.dumps({**told, "seal": seal}))
    found = source_of_set(stack, "latest")
    assert found.set.manifest.format == 1
    assert restore(stack, well, found, YES).rows == 261
    assert len(volume.swaps) == 1


def test_the_cluster_before_is_kept_and_older_ones_go(stack, well, volume, source):
    restore(stack, well, source, YES)
    (line,) = [each for each in well.processes.lines if "find ./clusters" in each]
    assert f"! -path './{volume.current}' ! -path './{FIRST}'" in line


@pytest.mark.usefixtures("volume")
def test_a_restore_takes_the_way_back_of_an_upgrade_away(stack, well, source):
    stack.state_folder.mkdir()
    for name in (WAY_BACK, BEFORE_UPGRADE):
        (stack.state_folder / name).write_text("{}")
    restore(stack, well, source, YES)
    assert not [name for name in (WAY_BACK, BEFORE_UPGRADE, BEFORE_RESTORE) if (stack.state_folder / name).exists()]


@pytest.mark.usefixtures("volume")
def test_the_instance_is_recorded_anew_in_the_new_cluster(stack, well, source):
    restore(stack, well, source, YES)
    (sql,) = [each.stdin for each in well.processes.ran if "DELETE FROM chatwoot_ops.instance" in (each.stdin or "")]
    assert INSTANCE in sql


@pytest.mark.parametrize(("answers", "code"), [((), 14), ((False,), 14), ((True,), None)], ids=["nobody", "no", "yes"])
def test_the_loss_is_shown_and_confirmed_before_anything_is_touched(stack, well, volume, source, answers, code):
    well.reporter.answers = list(answers)
    if code is None:
        assert restore(stack, well, source, RestoreOptions())
    else:
        with pytest.raises(ConfirmationMissingError) as caught:
            restore(stack, well, source, RestoreOptions())
        assert caught.value.code == code
        assert volume.swaps == []
        assert not well.processes.ran_with("stage.sh")
    assert well.reporter.notes[0].startswith("Would be lost: 5 conversations, 9 messages")


def test_a_damaged_set_is_refused_before_anything_is_touched(stack, well, volume, source):
    source.dump.write_bytes(b"PGDMP torn")
    with pytest.raises(BackupSetInvalidError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 13
    assert well.processes.ran == []
    assert volume.swaps == []


WRONG = {
    "a table": (says(replace(DATA, tables={**DATA.tables, "public.users": TableDigest(3, "x")})), "table public.users"),
    "a row": (says(replace(DATA, tables={**DATA.tables, "public.users": TableDigest(2, "-5")})), "3 rows expected"),
    "a trigger": (says(replace(DATA, triggers=3)), "triggers: 4 expected, 3 found"),
    "a sequence": (says(replace(DATA, sequences={"public.messages_id_seq": (1, 1)})), "sequence public.messages"),
    "an extension": (says(replace(DATA, extensions={"plpgsql": "1.0"})), "extension vector: missing"),
    "a key": (says(samples=[["webhooks.secret", '{"p":"x","h":{"iv":"y"}}']]), "webhooks.secret: the encryption keys"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_new_cluster_that_is_not_what_the_set_promises_never_serves(stack, well, volume, source, what):
    answer, line = WRONG[what]
    well.processes.on(SPEAKS, answer)
    with pytest.raises(RestoreFailedError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 26
    assert any(line in each for each in caught.value.details)
    assert volume.swaps == []
    assert well.processes.ran_with("docker rm --force chatwoot-restore-")
    assert well.processes.ran_with("rm -rf /volume/clusters/")
    assert not well.processes.ran_with("compose stop")


def test_tables_of_another_owner_never_serve(stack, well, volume, source):
    well.processes.on("r.rolname <>", "[2]\n")
    with pytest.raises(RestoreFailedError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.details == ("2 tables or sequences do not belong to Chatwoot's role",)
    assert volume.swaps == []


@pytest.mark.parametrize(
    ("there", "migrate", "says_so"),
    [
        ((*VERSIONS, "29990101000000"), True, "newer release"),
        (VERSIONS[:1], False, "older release"),
        (VERSIONS[:1], True, None),
    ],
)
def test_data_of_another_release_is_refused_or_migrated(stack, well, volume, tmp_path, there, migrate, says_so):
    (tmp_path / "x.sql").write_bytes(HEAD)
    dump = source_of_dump(str(tmp_path / "x.sql"), "")
    well.processes.on(SPEAKS, says(replace(DATA, migrations=there)))
    if says_so:
        with pytest.raises(RestoreFailedError, match=says_so) as caught:
            restore(stack, well, dump, RestoreOptions(yes=True, migrate=migrate))
        assert caught.value.details
        assert volume.swaps == []
    else:
        restore(stack, well, dump, RestoreOptions(yes=True, migrate=True))
        assert well.processes.ran_with("db:chatwoot_prepare")
        assert well.processes.ran_with("compose stop chatwoot-rails chatwoot-sidekiq")


@pytest.mark.parametrize(
    "listed", ["", "abcdefghij 8 00000000000000000000000000000000\n"], ids=["missing", "wrong content"]
)
def test_stored_files_that_do_not_match_their_rows_never_serve(stack, well, volume, source, listed):
    well.processes.on("join -1 2", listed)
    with pytest.raises(RestoreFailedError, match="Stored files do not match") as caught:
        restore(stack, well, source, YES)
    assert "missing: klmnopqrst" in caught.value.details
    assert volume.swaps == []


def test_files_that_were_missing_when_the_set_was_made_are_no_failure(stack, well, volume):
    sealed(stack.backup_folder, storage=StorageProof(1, 8, 1, ("klmnopqrst",)))
    well.processes.on("join -1 2", well.processes.run(stored_files.list_files(stack)).stdout.splitlines()[0] + "\n")
    result = restore(stack, well, source_of_set(stack, "latest"), YES)
    assert result.storage.missing == ("klmnopqrst",)
    assert len(volume.swaps) == 1


def test_a_dump_without_an_archive_proves_the_files_that_are_there(stack, well, volume, tmp_path):
    (tmp_path / "x.sql").write_bytes(HEAD)
    well.processes.on("join -1 2", "")
    result = restore(stack, well, source_of_dump(str(tmp_path / "x.sql"), ""), YES)
    assert sorted(result.storage.missing) == sorted(BLOBS)
    assert not well.processes.ran_with("tar --extract")
    assert len(volume.swaps) == 1


def test_a_dump_with_its_archive_is_proved_against_it(stack, well, volume, tmp_path):
    (tmp_path / "x.sql").write_bytes(HEAD)
    (tmp_path / "s.tar.gz").write_bytes(tar_of(FILES, mode="w:gz"))
    result = restore(stack, well, source_of_dump(str(tmp_path / "x.sql"), str(tmp_path / "s.tar.gz")), YES)
    assert result.storage.whole
    assert volume.swaps


AFTER_THE_SWAP = {
    "stop the worker": "compose stop chatwoot-sidekiq",
    "stop the database": "compose stop chatwoot-db",
    "flush": "redis-cli FLUSHALL",
    "swap": "mv -T current.new current",
    "start of the database": "compose up -d chatwoot-db chatwoot-redis",
    "start": "compose up -d --no-deps",
}


@pytest.mark.parametrize("part", AFTER_THE_SWAP.values(), ids=AFTER_THE_SWAP)
def test_a_failure_in_the_swap_puts_the_old_data_back(stack, well, volume, source, part):
    well.processes.on_call(part, *once())
    with pytest.raises(RestoreFailedError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 26
    assert volume.current == FIRST
    assert ledger(stack, well) == "failed with 26"
    assert not (stack.state_folder / BEFORE_RESTORE).exists()


def test_a_restored_stack_that_fails_the_smoke_check_is_put_back(stack, well, volume, source):
    well.processes.on("redis-cli EVAL", json.dumps({"beats": [], "oldest": {}, "cron": 0, "retry": 0, "dead": 0,
                                                    "processed": 1}))  # fmt: skip
    with pytest.raises(RestoreFailedError, match="does not pass the smoke check") as caught:
        restore(stack, well, source, YES)
    assert caught.value.details
    assert volume.current == FIRST


def test_an_address_that_leads_elsewhere_yet_is_said_and_stops_nothing(stack, well, volume, source):
    well.http.on("GET http://localhost:3002/api/v1/profile", Answer(0, error="connection refused"))
    well.cable.answers["localhost"] = "connection refused"
    restore(stack, well, source, YES)
    assert volume.current != FIRST
    assert any("FRONTEND_URL does not lead here yet" in note for note in well.reporter.notes)


def test_where_the_old_data_cannot_be_put_back_a_person_must_look(stack, well, volume, source):
    well.processes.on("compose up -d chatwoot-db chatwoot-redis", code=1, stderr="no space left")
    with pytest.raises(NothingServesError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 30
    assert any(line.startswith("putting the old data back") for line in caught.value.details)
    assert FIRST in caught.value.remedy
    assert volume.swaps


@pytest.mark.parametrize("part", ["pg_restore --jobs", "tar --extract"])
def test_ctrl_c_before_the_swap_removes_what_was_built(stack, well, volume, source, part):
    well.processes.on_call(part, interrupt)
    with pytest.raises(InterruptedByOperatorError):
        restore(stack, well, source, YES)
    assert volume.swaps == []
    assert well.processes.ran_with("rm -rf /volume/clusters/")


@pytest.mark.parametrize("part", AFTER_THE_SWAP.values(), ids=AFTER_THE_SWAP)
def test_ctrl_c_in_the_swap_puts_the_old_data_back(stack, well, volume, source, part):
    well.processes.on_call(part, *once(interrupt))
    with pytest.raises(InterruptedByOperatorError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 130
    assert volume.current == FIRST
    assert (
        well.processes.lines[-1].startswith(("docker ps", "docker version")) or "compose up -d" in well.processes.lines
    )


def test_a_volume_of_another_installation_is_refused(stack, well, volume, source):
    well.processes.on('echo "marker=', volume_answer(marker="other"))
    with pytest.raises(PreflightFailedError):
        restore(stack, well, source, YES)
    assert volume.swaps == []
    assert not well.processes.ran_with("stage.sh")


def test_volumes_and_network_that_are_gone_are_made_and_not_begun(stack, well, volume, source):
    made = []
    well.processes.on_call("docker volume create", lambda c: made.append(c.argv[-1]) or Finished(0, "", ""))
    well.processes.on_call("docker volume inspect", lambda c: Finished(0 if c.argv[-1] in made else 1, "", ""))
    well.processes.on("docker network inspect", code=1).on("docker network create", "").on("cat > .chatwoot-inst", "")
    restore(stack, well, source, YES)
    assert made == ["chatwoot-db-data", "chatwoot-redis-data", "chatwoot-storage"]
    marks = [each for each in well.processes.ran if "cat > .chatwoot-inst" in each.argv[-1]]
    assert [each.stdin.strip() for each in marks] == [INSTANCE] * 3
    assert not [each for each in marks if ".initializing" in each.argv[-1]]
    assert well.processes.ran_with("docker network create")
    assert len(volume.swaps) == 1


# Settings that come with the data.


OTHER = {
    "SECRET_KEY_BASE": "k" * 64,
    "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY": "p" * 32,
    "SMTP_PASSWORD": "not-a-key",
}


def other_text(stack):
    return with_values(read_env_file(stack.env_file).text, OTHER)


def sealed_with(stack, public):
    keys = {**stack.settings.values, **OTHER}
    extra = {SETTINGS_ARTIFACT: encrypted(other_text(stack).encode(), public)}
    return sealed(stack.backup_folder, extra=extra, fingerprints=fingerprints(keys, INSTANCE))


def test_the_keys_of_the_set_come_with_its_data_and_nothing_else_does(stack, well, volume, tmp_path):
    public, private = make_pair()
    (tmp_path / "key").write_text(private)
    sealed_with(stack, public)
    before = dict(values_of(stack))
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=str(tmp_path / "key")))
    changed = {name for name, value in values_of(stack).items() if before.get(name) != value}
    assert changed == {"SECRET_KEY_BASE", "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY"}
    assert volume.swaps


def test_without_the_sets_keys_nothing_begins(stack, well, volume):
    sealed_with(stack, make_pair()[0])
    with pytest.raises(BackupSetInvalidError, match="are not the keys of this set") as caught:
        restore(stack, well, source_of_set(stack, "latest"), YES)
    assert len(caught.value.details) == 2
    assert volume.swaps == []


def test_a_failure_after_the_keys_were_written_puts_the_old_ones_back(stack, well, volume, tmp_path):
    public, private = make_pair()
    (tmp_path / "key").write_text(private)
    sealed_with(stack, public)
    before = dict(values_of(stack))
    well.processes.on_call("compose up -d --no-deps", *once())
    with pytest.raises(RestoreFailedError):
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=str(tmp_path / "key")))
    assert values_of(stack) == before
    assert volume.current == FIRST


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("what", ["save_settings", "write_keys"])
def test_settings_that_cannot_be_kept_or_written_leave_no_cluster_behind(stack, well, tmp_path, monkeypatch, what):
    public, private = make_pair()
    (tmp_path / "key").write_text(private)
    sealed_with(stack, public)
    before = dict(values_of(stack))

    def full(*_):
        raise CommandFailedError("No space left on device")

    monkeypatch.setattr(f"chatwoot_ops.operations.restore.{what}", full)
    with pytest.raises(RestoreFailedError, match="No space left on device"):
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=str(tmp_path / "key")))
    assert values_of(stack) == before
    assert len(well.processes.ran_with("rm -rf /volume/clusters/")) == 1


def test_the_given_keys_are_known_to_the_mask(stack, well, volume, tmp_path):
    public, private = make_pair()
    (tmp_path / "key").write_text(private)
    sealed_with(stack, public)
    restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=str(tmp_path / "key")))
    assert well.processes.mask("k" * 64) == "********"
    assert volume.swaps


def test_the_wrong_private_key_is_refused(stack, well, volume, tmp_path):
    (tmp_path / "key").write_text(make_pair()[1])
    sealed_with(stack, make_pair()[0])
    with pytest.raises(BackupSetInvalidError, match="does not open"):
        restore(stack, well, source_of_set(stack, "latest"), RestoreOptions(yes=True, identity=str(tmp_path / "key")))
    assert volume.swaps == []


def test_keys_from_a_plain_file_are_those_that_differ(stack, tmp_path):
    (tmp_path / "env").write_text(other_text(stack))
    assert keys_given(stack, Given(settings=str(tmp_path / "env"))).keys() == {
        "SECRET_KEY_BASE",
        "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY",
    }
    assert keys_given(stack, Given(settings=str(stack.env_file))) == {}
    assert keys_given(stack, Given()) == {}


def test_settings_that_cannot_be_read_or_are_not_in_the_set_are_refused(stack, tmp_path):
    with pytest.raises(BackupSetInvalidError, match="cannot be read: No such file"):
        keys_given(stack, Given(settings=str(tmp_path / "none")))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(BackupSetInvalidError, match="cannot be read"):
        keys_given(stack, Given(settings=str(tmp_path / "binary")))
    sealed(stack.backup_folder)
    (tmp_path / "key").write_text(make_pair()[1])
    with pytest.raises(BackupSetInvalidError, match="holds no settings"):
        keys_given(stack, Given("latest", identity=identity_file(tmp_path / "key")))


def test_on_an_empty_machine_the_settings_come_from_the_set_and_the_private_key_alone(place, stack, well, tmp_path):
    public, private = make_pair()
    (tmp_path / "key").write_text(private)
    sealed_with(stack, public)
    text = other_text(stack)
    place.env_file.unlink()
    given = Given("latest", identity=identity_file(tmp_path / "key"))
    assert bring_settings(place, well, given, ask=False) == given.identity
    assert place.env_file.read_text() == text
    assert place.env_file.stat().st_mode & 0o777 == 0o600
    assert bring_settings(place, well, given, ask=False) is None


def test_on_an_empty_machine_without_settings_there_is_nothing_to_restore_into(place, well, volume):
    place.env_file.unlink()
    with pytest.raises(SettingsInvalidError, match="no settings file"):
        restore_from(place, well, {"set": "latest", "dump": "", "storage": ""}, YES)
    assert well.processes.ran == []
    assert volume.swaps == []


@pytest.mark.parametrize("what", ["set", "dump"])
def test_a_restore_takes_the_dump_where_one_is_named_and_the_set_else(place, stack, well, volume, tmp_path, what):
    (tmp_path / "x.sql").write_bytes(HEAD)
    path = sealed(stack.backup_folder)
    where = {"set": "latest", "dump": str(tmp_path / "x.sql") if what == "dump" else "", "storage": ""}
    assert restore_from(place, well, where, YES).source == (path.name if what == "set" else "x.sql")
    assert well.processes.secrets
    assert len(volume.swaps) == 1


def test_a_restore_with_migration_prepares_after_the_swap(stack, well, volume, tmp_path):
    (tmp_path / "x.sql").write_bytes(HEAD)
    well.processes.in_turn("invalid_indexes", database_answer(versions=VERSIONS[:1]), database_answer())
    restore(stack, well, source_of_dump(str(tmp_path / "x.sql"), ""), RestoreOptions(yes=True, migrate=True))
    lines = well.processes.lines
    swapped = next(n for n, line in enumerate(lines) if "mv -T current.new current" in line)
    assert swapped < next(n for n, line in enumerate(lines) if "db:chatwoot_prepare" in line)
    assert volume.swaps
