"""Pruning and marking sets on disk: what was shown goes, what is needed stays, and a kill leaves no half of a set."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import json
import shutil
from pathlib import Path

import pytest

from chatwoot_ops.adapters import files, set_notes
from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import BackupStore
from chatwoot_ops.adapters.set_notes import mark_verified
from chatwoot_ops.errors import (
    BackupSetInvalidError,
    CommandFailedError,
    ConfirmationMissingError,
    SettingsInvalidError,
    StackLockedError,
)
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, MANIFEST
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.model.upgrade import WAY_BACK, WayBack, note_before, to_json
from chatwoot_ops.model.verification import Level
from chatwoot_ops.operations import prune as pruning
from chatwoot_ops.operations.backup_sets import list_sets
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.keep import keep
from chatwoot_ops.operations.prune import intended_prune, prune
from chatwoot_ops.operations.recover import recover
from fakes import fake_host
from killed import KilledError
from nightly import ONE_ONLY, SETTINGS, kept_by, nightly, there
from sets import sealed, sealed_physical, sealed_whole
from world import stack_in


@pytest.fixture
def values():
    return SETTINGS


@pytest.fixture
def host():
    made = fake_host()
    made.processes.on("label=chatwoot-ops", "").on("docker ps", "")
    return made


def test_what_no_rule_keeps_goes_and_the_rest_stays_whole(stack, host):
    paths = nightly(stack, 3)
    done = prune(stack, host, yes=True)
    assert done.removed == (paths[1].name, paths[0].name)
    assert there(stack) == [paths[2].name]
    assert [each.kept_by for each in done.sets] == [("newest", "last"), (), ()]
    assert store_of(stack, host).read() is None
    (line,) = store_of(stack, host).ledger.read_text().splitlines()
    assert (json.loads(line)["operation"], json.loads(line)["outcome"]) == ("prune", "done")


def test_a_dry_run_says_the_same_and_removes_nothing(stack, host):
    paths = nightly(stack, 3)
    found = intended_prune(stack, host)
    assert [each.name for each in found.going] == [paths[1].name, paths[0].name]
    assert found.removed == ()
    assert len(there(stack)) == 3
    assert not stack.state_folder.exists()


@pytest.mark.parametrize("answers", [(), ("no",), ("",)])
def test_without_a_yes_nothing_goes_and_everything_was_shown(stack, answers):
    paths = nightly(stack, 2)
    host = fake_host(*answers)
    host.reporter.confirm = lambda question: host.reporter.ask(question) == "yes"
    with pytest.raises(ConfirmationMissingError, match="No set was removed") as caught:
        prune(stack, host)
    assert caught.value.code == 14
    assert len(there(stack)) == 2
    assert host.reporter.notes == [f"{paths[1].name}: newest, last", f"{paths[0].name}: goes, no rule keeps it"]


def test_where_nothing_would_go_nobody_is_asked(stack, host):
    nightly(stack, 1)
    assert prune(stack, host).removed == ()
    assert host.reporter.questions == []


def test_rules_that_are_all_0_are_refused(tmp_path, host):
    stack = stack_in(tmp_path, **{**SETTINGS, "BACKUP_KEEP_LAST": "0"})
    nightly(stack, 2)
    with pytest.raises(SettingsInvalidError, match="no rule would keep a set"):
        prune(stack, host, yes=True)
    assert len(there(stack)) == 2


def test_the_last_one_that_was_verified_stays(stack, host):
    paths = nightly(stack, 4)
    for path in paths[:2]:
        mark_verified(BackupStore(stack.backup_folder).find(path.name), "t", Level.ARCHIVE)
    prune(stack, host, yes=True)
    assert there(stack) == [paths[1].name, paths[3].name]


def test_a_set_whose_dump_is_gone_or_cut_off_is_shown_is_never_the_last_good_one_and_stays(stack, host):
    paths = nightly(stack, 4)
    (paths[3] / DATABASE_ARTIFACT).unlink()
    (paths[2] / DATABASE_ARTIFACT).write_bytes(b"PG")
    done = prune(stack, host, yes=True)
    assert done.damaged == (paths[2].name, paths[3].name)
    assert done.removed == (paths[0].name,)
    assert kept_by(stack) == {paths[1].name: ("newest", "last")}


def test_a_set_that_this_machine_cannot_open_is_kept_and_goes_like_any_other(stack, host):
    public, _ = make_pair()
    older, newer = (sealed_whole(stack.backup_folder, public) for _ in range(2))
    done = prune(stack, host, yes=True)
    assert (done.removed, done.damaged) == ((Path(older).name,), ())
    assert there(stack) == [Path(newer).name]


def test_a_folder_with_a_damaged_manifest_or_date_is_shown_and_stays(stack, host):
    paths = nightly(stack, 2)
    odd = sealed(stack.backup_folder, created="yesterday")
    (paths[1] / MANIFEST).write_text("{")
    done = prune(stack, host, yes=True)
    assert done.damaged == (paths[1].name, odd.name)
    assert done.removed == ()


def test_a_set_of_another_installation_stays(stack, host):
    foreign = sealed(stack.backup_folder, stamp="20200101T000000Z", instance="another")
    own = nightly(stack, 2)
    prune(stack, host, yes=True)
    assert there(stack) == [foreign.name, own[1].name]
    assert kept_by(stack)[foreign.name] == ("of another installation",)


def test_where_the_installation_has_no_id_nothing_goes(tmp_path, host):
    stack = stack_in(tmp_path, **ONE_ONLY)
    nightly(stack, 3)
    assert prune(stack, host, yes=True).removed == ()


def test_a_link_to_a_set_elsewhere_stays(stack, host, tmp_path):
    elsewhere = sealed(tmp_path / "elsewhere", stamp="20200101T000000Z", sequence=0)
    (own,) = nightly(stack, 1)
    (stack.backup_folder / "linked").symlink_to(elsewhere)
    assert prune(stack, host, yes=True).removed == ()
    assert kept_by(stack) == {own.name: ("newest", "last"), "linked": ("a link to elsewhere",)}


@pytest.mark.parametrize(
    ("content", "stays"),
    [(to_json(WayBack("v1-ce", "v2-ce", "c", {})), ("v2-ce",)), ("damaged", ("v2-ce", "v3-ce")), (None, ())],
    ids=["the one it names", "all where it cannot be read", "none without one"],
)
def test_the_set_that_the_way_back_of_an_upgrade_names_stays(stack, host, content, stays):
    for number, target in enumerate(("v2-ce", "v3-ce"), 1):
        sealed(stack.backup_folder, stamp=f"{target}-{number}", note=note_before(target))
    nightly(stack, 1)
    if content is not None:
        stack.state_folder.mkdir()
        (stack.state_folder / WAY_BACK).write_text(content)
    prune(stack, host, yes=True)
    assert [name[:5] for name in there(stack) if name.startswith("v")] == list(stays)


def test_what_was_not_shown_does_not_go_and_what_was_marked_meanwhile_stays(stack, host, monkeypatch):
    paths = nightly(stack, 3)
    real, plans = pruning.planned, []

    def changing_meanwhile(asked):
        if plans:
            set_notes.mark_kept(BackupStore(stack.backup_folder).find(paths[0].name), at="t", by="grace")
            sealed(stack.backup_folder, stamp="20261104T023000Z")
        plans.append(real(asked))
        return plans[-1]

    monkeypatch.setattr(pruning, "planned", changing_meanwhile)
    assert prune(stack, host, yes=True).removed == (paths[1].name,)
    assert there(stack) == [paths[0].name, paths[2].name, "20261104T023000Z-logical"]


def test_while_another_operation_was_cut_off_nothing_goes(stack, host):
    nightly(stack, 2)
    store_of(stack, host).open(Opening("upgrade", "abc", "ada", 7, "t0"))
    with pytest.raises(StackLockedError):
        prune(stack, host, yes=True)
    assert len(there(stack)) == 2


@pytest.mark.parametrize("call", ["rename", "sync_folder", "rmtree"])
@pytest.mark.parametrize("how", [{"finish": True}, {"undo": True}], ids=["finish", "undo"])
def test_killed_anywhere_there_are_whole_sets_only_and_recover_ends_it(place, stack, host, monkeypatch, call, how):
    paths = nightly(stack, 3)

    owner = {"rename": Path, "sync_folder": files, "rmtree": shutil}[call]
    real = getattr(owner, call)

    def killed(path, *args, **kwargs):
        if call == "sync_folder" and path != stack.backup_folder:
            return real(path, *args, **kwargs)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(owner, call, killed)
        with pytest.raises(KilledError):
            prune(stack, host, yes=True)
    names = {each.manifest.name for each in list_sets(stack, host).sets}
    assert names == {path.name for path in paths} - (set() if call == "rename" else {paths[1].name})
    assert list_sets(stack, host).damaged == ()
    assert recover(place, host, **how).ended
    gone = [paths[2].name] if "finish" in how else sorted({*names})
    assert there(stack) == gone
    assert store_of(stack, host).read() is None


def test_finishing_removes_only_what_was_confirmed_then(place, stack, host):
    paths = nightly(stack, 3)
    store_of(stack, host).open(Opening("prune", "abc", "ada", 7, "t0", {"names": [paths[0].name]}))
    recover(place, host, finish=True)
    assert there(stack) == [paths[1].name, paths[2].name]


def test_the_next_backup_removes_what_is_left_of_a_set_too(stack):
    (path,) = nightly(stack, 1)
    path.rename(path.with_name(f"{path.name}.removing"))
    store = BackupStore(stack.backup_folder)
    assert (store.sets(), store.damaged(), store.drop_partials()) == ((), (), ())
    assert there(stack) == []


def test_what_cannot_be_deleted_is_said_and_is_no_set(stack, host, monkeypatch):
    paths = nightly(stack, 2)

    def refused(_path, ignore_errors=False):
        if not ignore_errors:
            raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refused)
    with pytest.raises(CommandFailedError, match="Permission denied"):
        prune(stack, host, yes=True)
    with pytest.raises(CommandFailedError, match="cannot be deleted") as caught:
        prune(stack, host, yes=True)
    assert caught.value.details == (paths[0].name,)
    assert [each.manifest.name for each in list_sets(stack, host).sets] == [paths[1].name]


def test_a_marked_set_stays_until_the_mark_is_taken_away(stack, host):
    paths = nightly(stack, 2)
    assert [each.kept for each in keep(stack, host, paths[0].name).sets] == [True, False]
    assert prune(stack, host, yes=True).removed == ()
    assert json.loads((paths[0] / "kept.json").read_text()) == {"at": "2026-11-24T08:00:00Z", "by": "ada"}
    assert [each.kept for each in keep(stack, host, paths[0].name, off=True).sets] == [False, False]
    assert prune(stack, host, yes=True).removed == (paths[0].name,)


def test_a_mark_leaves_what_was_sealed_as_it_was_and_taking_away_none_is_no_fault(stack, host):
    (path,) = nightly(stack, 1)
    before = (path / MANIFEST).read_bytes()
    keep(stack, host, "latest", off=True)
    keep(stack, host, "latest")
    assert (path / MANIFEST).read_bytes() == before
    assert BackupStore(stack.backup_folder).find("latest").kept


def test_a_damaged_mark_is_a_mark(stack):
    path = nightly(stack, 2)[0]
    (path / "kept.json").write_text("")
    assert kept_by(stack)[path.name] == ("marked",)


@pytest.mark.parametrize("name", ["", "none"])
def test_a_set_that_is_not_there_cannot_be_marked(stack, host, name):
    nightly(stack, 1)
    with pytest.raises(BackupSetInvalidError, match="no sealed backup set"):
        keep(stack, host, name)


@pytest.mark.parametrize(("how", "marked"), [({"finish": True}, True), ({"undo": True}, False)])
def test_a_mark_that_was_cut_off_is_ended_by_recover(place, stack, host, how, marked):
    (path,) = nightly(stack, 1)
    store_of(stack, host).open(Opening("keep", "abc", "ada", 7, "t0", {"name": str(path), "off": False}))
    store_of(stack, host).step("mark")
    assert recover(place, host, **how).ended
    assert BackupStore(stack.backup_folder).find("latest").kept is marked


@pytest.mark.parametrize("operation", ["undo-prune", "undo-keep"])
def test_an_undo_that_was_cut_off_is_ended_too(place, stack, host, operation):
    paths = nightly(stack, 2)
    store_of(stack, host).open(Opening(operation, "abc", "ada", 7, "t0"), (Step("finish-removals", "t"),))
    assert recover(place, host, undo=True).ended
    assert there(stack) == [path.name for path in paths]


@pytest.mark.parametrize(("mode", "stays"), [("async", True), ("off", False)])
def test_while_wal_is_archived_the_newest_set_that_it_goes_on_from_stays(tmp_path, host, mode, stays):
    stack = stack_in(tmp_path, **{**SETTINGS, "WAL_ARCHIVE": mode})
    base = sealed_physical(stack.backup_folder)
    nightly(stack, 3)
    prune(stack, host, yes=True)
    assert base.exists() == stays
