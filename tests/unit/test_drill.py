"""The drill: a set restored where nobody is reached, proved and timed, and nothing left of it but a certificate."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import json
import shutil

import pytest

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.certificate_store import CertificateStore
from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    ChecksFailedError,
    CommandFailedError,
    PreflightFailedError,
    StackLockedError,
)
from chatwoot_ops.model.backup_set import SETTINGS_ARTIFACT, StorageProof
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.operations import drill as module
from chatwoot_ops.operations.drill import DrillOptions, drill
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.status import status
from fakes import GIGABYTE
from index_world import ALL, well_indexes
from keeping import listed
from sets import certificate, encrypted, sealed, sealed_whole
from world import INSTALLED, INSTANCE, SECRETS, database_answer, image

LEFT = "chatwoot-drill-0a1b2c3d"


@pytest.fixture
def values():
    return {**INSTALLED, "SMTP_ADDRESS": "mail.example"}


@pytest.fixture
def home(place):
    return unchecked_stack(place, read_env_file(place.env_file))


@pytest.fixture
def drilled(place, well, engine, home):
    def run(**options):
        return drill(place, well, DrillOptions(**options), lambda found, torn: f"{len(found)} {len(torn)}")

    sealed(home.backup_folder)
    return run


def kept(home):
    return CertificateStore(home.state_folder).read()[0]


def left_in(folder):
    return [path.name for path in folder.iterdir()]


def test_a_whole_set_passes_and_the_certificate_says_what_came_back(drilled, home, well):
    found = drilled()
    assert (found.passed, found.why, found.rows, found.tables, found.files_proved) == (True, "", 261, 2, 2)
    assert (found.set, found.kind, found.release, found.instance) == (
        "20261124T080000Z-logical",
        "logical",
        "v4.15.1-ce",
        INSTANCE,
    )
    assert found.recovery_seconds == 0.0  # no time passes in a fake
    assert kept(home) == (found,)
    names = {check.name for check in found.checks}
    assert {"rows", "sequences", "stored files", "encrypted rows", "instance", "/app/login", "triggers"} <= names
    assert (CertificateStore(home.state_folder).folder / "index.html").read_text() == "1 0"
    assert read_set(home.backup_folder / found.set).level == "restore"
    assert "recovery time 0.0 s" in status(home, well).last_drill


def test_indexes_that_a_restore_leaves_for_later_are_built_and_both_times_told(drilled, well):
    catalog = well_indexes(well)
    catalog.running = [None, lambda: well.clock.sleep(7), None]
    found = drilled()
    (check,) = (check for check in found.checks if check.name == "later indexes")
    assert check.seen == "all 4 are as in the dump; built: public.by_meaning in 7.2 s, public.by_text in 0.2 s"
    assert (found.recovery_seconds, found.usable_seconds) == (7.4, 0.0)
    assert set(catalog.there) == set(ALL)


def test_a_set_whose_indexes_cannot_be_built_fails_the_drill(drilled, home, well):
    well_indexes(well).fails = "public.by_text"
    with pytest.raises(ChecksFailedError, match="indexes could not be built"):
        drilled()
    assert [each.passed for each in kept(home)] == [False]


def test_neither_the_worker_nor_any_network_but_the_drills_own_is_used(drilled, engine):
    drilled()
    changing = [line for line in engine.lines if line.startswith("compose up") or "run -d" in line]
    assert changing
    assert not [line for line in changing if "chatwoot-sidekiq" in line]
    assert not engine.ran_with("network create")
    composed = [command for command in engine.ran if command.argv[0].endswith("docker-compose")]
    assert all(any(part.endswith("docker-compose.drill.yml") for part in command.argv) for command in composed)
    assert all("chatwoot-drill-" in command.argv[command.argv.index("-p") + 1] for command in composed)


def test_no_command_names_a_volume_or_the_network_of_production(drilled, engine, home):
    drilled()
    ours = (*home.volumes.values(), home.settings["CHATWOOT_NETWORK"])
    assert [line for line in engine.lines for name in ours if name in line.split() or f"{name}:" in line] == []


def test_where_production_archives_its_changes_the_drill_does_not(place, well, engine, home):
    sealed(home.backup_folder)
    write_env_file(place.env_file, with_values(place.env_file.read_text(), {"WAL_ARCHIVE": "async"}))
    assert drill(place, well, DrillOptions(), lambda *_: "").passed
    assert not [command for command in engine.ran if any("docker-compose.wal.yml" in part for part in command.argv)]


def test_production_may_be_locked_meanwhile(drilled, home):
    with hold_lock(home.project, operation="backup", user="grace", since="t"):
        assert drilled().passed


def test_two_drills_of_one_stack_do_not_run_at_once(drilled, home):
    with (
        hold_lock(f"{home.project}.drill", operation="drill", user="grace", since="t"),
        pytest.raises(StackLockedError, match="drill by grace"),
    ):
        drilled()
    assert kept(home) == ()


def test_a_damaged_set_is_refused_before_anything_is_made_and_the_certificate_says_so(
    drilled, engine, home, temporary_folder
):
    (home.backup_folder / "20261124T080000Z-logical" / "database.dump").write_bytes(b"other")
    with pytest.raises(BackupSetInvalidError, match="is damaged") as caught:
        drilled()
    assert caught.value.code == 13
    assert not engine.ran_with("docker volume create")
    (found,) = kept(home)
    assert (found.passed, found.recovery_seconds) == (False, 0.0)
    assert "database.dump" in found.why
    assert left_in(temporary_folder) == []


def test_a_set_that_does_not_hold_what_it_promises_fails_and_all_is_removed(drilled, engine, home, temporary_folder):
    engine.on("r.rolname <>", "[3]\n")
    engine.on("docker ps -aq --filter label=com.docker.compose.project=chatwoot-drill", "c1\n")
    with pytest.raises(ChecksFailedError, match="The drill of 20261124T080000Z-logical failed") as caught:
        drilled()
    assert caught.value.code == 25
    (found,) = kept(home)
    assert "3 tables or sequences do not belong" in found.why
    assert engine.ran_with("docker rm --force c1")
    assert left_in(temporary_folder) == []
    assert read_set(home.backup_folder / found.set).verified == ""


@pytest.mark.parametrize(
    ("page", "answer", "named"),
    [
        ("/api", (0, "  HTTP/1.1 200 OK\n", '{"version":"4.15.1","queue_services":"failing"}'), "/api"),
        ("/installation/onboarding", (0, "  HTTP/1.1 200 OK\n", ""), "first-run page"),
        ("/health", (1, "wget: can't connect\n", ""), "/health"),
    ],
)
def test_a_probe_that_fails_fails_the_drill(drilled, pages, home, page, answer, named):
    pages[page] = answer
    found = drilled()
    assert not found.passed
    assert named in found.why
    assert kept(home) == (found,)
    assert read_set(home.backup_folder / found.set).verified == ""


def test_pending_migrations_of_the_restored_data_fail_the_drill(drilled, engine):
    engine.on("invalid_indexes", database_answer(versions=["20230426130150"]))
    assert "migrations: 20231211010807" in drilled().why


def test_another_instance_in_the_database_fails_the_drill(drilled, engine):
    engine.on("json_agg(id)", json.dumps(["another"]))
    assert "the database says another" in drilled().why


def test_a_web_that_never_serves_fails_the_drill(drilled, pages):
    pages["/app/login"] = (1, "  HTTP/1.1 500 Internal Server Error\n", "")
    with pytest.raises(ChecksFailedError, match="Not healthy"):
        drilled()


def test_a_certificate_that_cannot_be_written_hides_neither_a_failure_nor_a_success(drilled, engine, home, well):
    CertificateStore(home.state_folder).keep("20261124T080000Z", certificate())
    folder = CertificateStore(home.state_folder).folder
    shutil.rmtree(folder)
    folder.write_text("a file where the folder should be")
    with pytest.raises(CommandFailedError, match="Cannot write"):
        drilled()
    engine.on("r.rolname <>", "[3]\n")
    with pytest.raises(ChecksFailedError, match="The drill of"):
        drilled()
    assert any("Cannot write" in note for note in well.reporter.notes)


def test_a_set_that_lies_where_nothing_can_be_written_passes_all_the_same(drilled, home, well, monkeypatch):
    def read_only(*_):
        raise CommandFailedError("Cannot write verified.json")

    monkeypatch.setattr(module, "mark_verified", read_only)
    assert drilled().passed
    assert "Cannot write verified.json" in well.reporter.notes


@pytest.mark.parametrize("lacking", ["memory", "disk"])
def test_without_room_nothing_begins(drilled, well, engine, home, lacking):
    setattr(well.machine, {"memory": "available"}.get(lacking, lacking), GIGABYTE)
    with pytest.raises(PreflightFailedError) as caught:
        drilled()
    assert [detail.split(":")[0] for detail in caught.value.details] == [lacking]
    assert not engine.ran_with("compose")
    assert kept(home) == ()


def test_ctrl_c_leaves_nothing(drilled, engine, home, temporary_folder):
    def interrupted(_):
        raise KeyboardInterrupt

    engine.on("docker ps -aq --filter label=com.docker.compose.project=chatwoot-drill", "c1\n")
    engine.on_call("pg_restore --jobs", interrupted)
    with pytest.raises(KeyboardInterrupt):
        drilled()
    assert engine.ran_with("docker rm --force c1")
    assert left_in(temporary_folder) == []
    assert kept(home) == ()


@pytest.mark.parametrize("part", ["container", "folder"])
def test_what_a_killed_drill_left_is_removed_by_the_next(drilled, engine, temporary_folder, part):
    if part == "folder":
        (temporary_folder / f"{LEFT}.x").mkdir()
    else:
        engine.on("docker ps -a --format", f"{LEFT}\nchatwoot\n")
    engine.on("docker ps -aq --filter label=com.docker.compose.project=chatwoot-drill-0a1b2c3d", "c7\n")
    drilled()
    assert engine.ran_with("docker rm --force c7")
    assert left_in(temporary_folder) == []


def test_a_set_of_an_older_release_is_drilled_with_its_own_image(drilled, engine, home):
    path = sealed(home.backup_folder, stamp="20261124T090000Z", release="v4.14.2-ce", image="chatwoot/chatwoot:old")
    engine.on("docker image inspect", image())
    found = drilled(set=path.name)
    assert (found.release, found.image) == ("v4.14.2-ce", "chatwoot/chatwoot:old")


def test_a_foreign_set_without_its_settings_is_refused(drilled, home):
    path = sealed(home.backup_folder, stamp="20261124T090000Z", instance="another")
    with pytest.raises(BackupSetInvalidError, match="belongs to installation another") as caught:
        drilled(set=path.name)
    assert "--identity FILE" in caught.value.remedy
    assert kept(home) == ()


def test_on_an_empty_machine_the_private_key_brings_the_settings(drilled, place, home, tmp_path):
    public, private = make_pair()
    (tmp_path / "identity").write_text(private)
    text = place.env_file.read_text()
    path = sealed(
        home.backup_folder,
        stamp="20261124T090000Z",
        extra={SETTINGS_ARTIFACT: encrypted(text.encode(), public)},
        settings_included=True,
        fingerprints=fingerprints(SECRETS, INSTANCE),
    )
    place.env_file.unlink()
    assert drilled(set=path.name, identity=str(tmp_path / "identity")).passed
    assert not place.env_file.exists()


def test_a_set_that_is_encrypted_as_a_whole_is_opened_with_its_key_and_nothing_of_it_stays_in_clear(
    drilled, place, home, tmp_path, temporary_folder
):
    public, private = make_pair()
    (tmp_path / "identity").write_text(private)
    drilled_before = drilled()
    path = sealed_whole(home.backup_folder, public, settings=place.env_file.read_text())
    found = drilled(set=str(path), identity=str(tmp_path / "identity"))
    assert (found.passed, found.rows) == (True, drilled_before.rows)
    assert left_in(temporary_folder) == []


def test_without_its_key_a_set_that_is_encrypted_as_a_whole_is_refused(drilled, engine, home):
    path = sealed_whole(home.backup_folder, make_pair()[0])
    with pytest.raises(BackupSetInvalidError, match="Nobody could be asked for the private key"):
        drilled(set=str(path))
    assert not engine.ran_with("compose")


def test_keys_that_are_not_the_sets_are_refused(drilled, home):
    sealed(home.backup_folder, stamp="20261124T090000Z", fingerprints={"SECRET_KEY_BASE": "other"})
    with pytest.raises(BackupSetInvalidError, match="are not the keys of this set"):
        drilled()


def test_a_file_that_was_missing_already_is_a_warning_and_one_that_is_missing_now_a_failure(drilled, home, engine):
    engine.on("join -1 2", listed("klmnopqrst"))
    known = StorageProof(1, 7, 1, missing=("abcdefghij",))
    sealed(home.backup_folder, stamp="20261124T090000Z", storage=known)
    found = drilled(set="20261124T090000Z-logical")
    (check,) = (check for check in found.checks if check.name == "stored files")
    assert (found.passed, found.files_proved, check.outcome) == (True, 1, "warn")
    with pytest.raises(ChecksFailedError, match="Stored files do not match") as caught:
        drilled(set="20261124T080000Z-logical")
    assert caught.value.details == ("missing: abcdefghij",)


def test_status_says_what_it_cannot_read(home, well):
    assert status(home, well).last_drill == ""
    folder = CertificateStore(home.state_folder).folder
    folder.mkdir(parents=True)
    (folder / "20261124T080000Z.json").write_text("{")
    assert status(home, well).last_drill == "20261124T080000Z.json cannot be read as a certificate"
