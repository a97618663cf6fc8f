"""A drill of a set straight from off-site: nothing of it stays here, whatever happens, and the certificate names it."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import shutil

import pytest

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.certificate_store import CertificateStore
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.lock import hold_lock
from chatwoot_ops.console.drill_page import drill_page
from chatwoot_ops.console.keeping import drilled as drilled_lines
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    ChecksFailedError,
    CommandFailedError,
    PreflightFailedError,
    SettingsInvalidError,
    StackLockedError,
)
from chatwoot_ops.operations import drill_remote
from chatwoot_ops.operations.drill import DrillOptions, drill
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.recover import recover
from fake_s3 import failing
from keeping import well_physical
from off_site import FOLDER, NAME, REMOTE, flipped
from sets import sealed, sealed_physical, sealed_whole
from world import FOLDER as COMPOSE_FOLDER
from world import place_in


@pytest.fixture
def values():
    return {**REMOTE, "CHATWOOT_RELEASE": "v4.15.1-ce"}


@pytest.fixture
def home(place):
    return unchecked_stack(place, read_env_file(place.env_file))


@pytest.fixture
def run(place, well, engine):
    def act(**options):
        return drill(place, well, DrillOptions(from_remote=True, **options), lambda *_: "")

    return act


@pytest.fixture
def gone(home, well, engine):
    """A set that is off-site and lost here."""
    path = sealed(home.backup_folder)
    push(home, well)
    shutil.rmtree(path)
    well.remotes.client.asked.clear()
    return path


def left(home):
    return [path.name for path in home.state_folder.glob("drilled-*")]


def test_it_passes_names_where_the_set_came_from_and_keeps_nothing_of_it(run, gone, home):
    found = run()
    origin = f"s3://kgc/{FOLDER}"
    assert (found.passed, found.from_remote, found.origin, found.rows) == (True, True, origin, 261)
    assert next(check.seen for check in found.checks if check.name == "fetched").endswith(
        f"from {origin}, each file as its manifest says"
    )
    assert CertificateStore(home.state_folder).read() == ((found,), ())
    assert origin in drill_page([found])
    assert f"The set came from {origin}." in drilled_lines(found)
    assert (left(home), list(home.backup_folder.iterdir())) == ([], [])


def test_its_recovery_time_counts_the_way_from_there(run, gone, well, s3_reads_slowly):
    assert run().recovery_seconds == 2 * s3_reads_slowly


@pytest.fixture
def s3_reads_slowly(well):
    def slow(given):
        if given["Key"].endswith((".dump", ".tar")):
            well.clock.sleep(30)

    well.remotes.client.fault("get_object", slow)
    return 30


def test_the_set_of_the_same_name_here_is_neither_used_nor_noted_as_verified(run, home, well, engine):
    path = sealed(home.backup_folder)
    push(home, well)
    (path / "database.dump").write_bytes(b"damaged here")
    assert run().passed
    assert not (path / "verified.json").exists()


def test_a_set_that_is_encrypted_as_a_whole_is_opened_with_its_key(run, home, well, place, tmp_path, engine):
    public, private = make_pair()
    (tmp_path / "identity").write_text(private)
    path = sealed_whole(home.backup_folder, public, settings=place.env_file.read_text(), settings_included=True)
    push(home, well)
    shutil.rmtree(path)
    assert run(identity=str(tmp_path / "identity")).passed
    with pytest.raises(BackupSetInvalidError, match="Nobody could be asked for the private key"):
        run()
    assert left(home) == []


def test_the_key_is_typed_where_it_is_asked_for(run, home, well, place, engine):
    public, private = make_pair()
    sealed_whole(home.backup_folder, public, settings=place.env_file.read_text(), settings_included=True)
    push(home, well)
    well.reporter.answers.append(private)
    assert run(identity="-").passed


def test_on_a_machine_without_settings_the_way_there_and_the_key_suffice(well, home, place, tmp_path, engine):
    public, private = make_pair()
    (tmp_path / "identity").write_text(private)
    sealed_whole(home.backup_folder, public, settings=place.env_file.read_text(), settings_included=True)
    push(home, well)
    way = tmp_path / "way.env"
    way.write_text("".join(f"{key}={value}\n" for key, value in REMOTE.items() if key.startswith("BACKUP_")))
    empty = Place(COMPOSE_FOLDER, tmp_path / "empty" / ".env")
    options = DrillOptions(identity=str(tmp_path / "identity"), settings=str(way), from_remote=True)
    assert drill(empty, well, options, lambda *_: "").origin
    assert not empty.env_file.exists()


def test_a_copy_that_is_damaged_there_is_refused_before_anything_is_made(run, gone, home, well, engine):
    flipped(well.remotes.client, "database.dump")
    with pytest.raises(BackupSetInvalidError, match=r"The copy of .* at the remote is damaged"):
        run()
    assert not engine.ran_with("docker volume create")
    assert left(home) == []


@pytest.mark.parametrize("when", ["fetched", "restored"])
def test_whatever_ends_it_what_was_fetched_is_removed(run, gone, home, well, engine, when):
    if when == "fetched":
        well.remotes.client.fault("get_object", failing(KeyboardInterrupt()))
    else:
        engine.on("r.rolname <>", "[3]\n")
    with pytest.raises((KeyboardInterrupt, ChecksFailedError)):
        run()
    assert left(home) == []


def test_without_room_for_it_nothing_is_fetched(run, gone, home, well):
    well.machine.disk = 1000
    with pytest.raises(PreflightFailedError, match="no room for the set"):
        run()
    assert not [each for each in well.remotes.client.did("get_object") if each["Key"].endswith(".dump")]
    assert left(home) == []


def test_a_folder_that_cannot_be_written_is_said(run, gone, monkeypatch):
    monkeypatch.setattr(drill_remote.PulledSet, "seal", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(CommandFailedError, match=r"Cannot write the set to .*: No space left"):
        run()


def test_without_a_remote_it_is_refused(tmp_path, well, engine):
    (tmp_path / "bare").mkdir()
    with pytest.raises(SettingsInvalidError, match="No place for off-site copies is set"):
        drill(place_in(tmp_path / "bare"), well, DrillOptions(from_remote=True), lambda *_: "")


def leftover(home):
    folder = home.state_folder / "drilled-0a1b2c3d" / f"{NAME}.partial"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("way", ["the next drill", "recover"])
def test_what_a_killed_one_had_fetched_is_removed(run, gone, home, place, well, way):
    folder = leftover(home)
    if way == "recover":
        assert not recover(place, well, undo=False).ended
        assert folder.exists()
        recover(place, well, undo=True)
    else:
        run()
    assert left(home) == []


def test_what_a_drill_that_is_at_work_has_fetched_stays(gone, run, home, place, well):
    folder = leftover(home)
    with hold_lock(f"{home.project}.drill", operation="drill", user="grace", since="t"):
        recover(place, well, undo=True)
        with pytest.raises(StackLockedError):
            run()
    assert folder.exists()


def test_the_rows_of_a_physical_set_are_counted_in_the_database_that_serves(place, home, well, engine):
    sealed_physical(home.backup_folder)
    well_physical(well)
    engine.on("SELECT json_build_array(%L, count(*))", '["public.messages", 258]\n["public.users", 3]\n')
    found = drill(place, well, DrillOptions(), lambda *_: "")
    assert (found.kind, found.rows, found.tables) == ("physical", 261, 2)
    (rows,) = (check.seen for check in found.checks if check.name == "rows")
    assert rows == "261 in 2 tables, counted; the cluster's files were verified"
    assert "261 rows in 2 tables came back, 2 stored files proved" in drilled_lines(found)
