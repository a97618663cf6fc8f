"""What lies beside a set is no part of it: damaged in any way it hides no set, removes none, and ends no task badly."""

import json

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.set_notes import mark_kept
from chatwoot_ops.model.certificate import to_json
from chatwoot_ops.operations.backup_sets import list_sets, store_of
from chatwoot_ops.operations.budgets import budget_checks
from chatwoot_ops.operations.known import look_at
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.prune import planned
from chatwoot_ops.operations.status import status
from damage import damages
from fault_table import record
from keeping import well_keeping
from sets import certificate, sealed
from world import INSTANCE, place_in

NOTES = ("verified.json", "proved.json", "off-site.json", "kept.json")
AT = "2026-11-24T07:00:00Z"
SAMPLE = 10


@pytest.fixture
def stack(tmp_path, well):
    well_keeping(well)
    values = {"BACKUP_MAX_AGE": "26h", "DRILL_MAX_AGE": "30d", "BACKUP_KEEP_LAST": "1", "BACKUP_KEEP_DAILY": "0"}
    place = place_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, **values)
    return unchecked_stack(place, read_env_file(place.env_file))


def looks(stack, host):
    """What an operator sees: none of it may fail, whatever the notes say."""
    listed = list_sets(stack, host)
    assert listed.damaged == ()
    budget_checks(stack, host, look_at(stack))
    status(stack, host)
    return {each.manifest.name for each in listed.sets}, {each.name for each in planned(stack).going}


def noted(stack):
    """The oldest of three sets has every note; only its mark keeps it."""
    for seed in range(3):
        path = sealed(stack.backup_folder, stamp=f"2026112{seed + 1}T080000Z", created=f"2026-11-2{seed + 1}T08:00:00Z")
    path = store_of(stack).sets()[0].path
    for name in NOTES[:3]:
        (stack.backup_folder / path / name).write_text(json.dumps({"at": AT, "level": "archive", "key": "age1x"}))
    mark_kept(store_of(stack).sets()[0], at=AT, by="ada")
    return stack.backup_folder / path


def cases(folder):
    for name in NOTES:
        for each in damages((folder / name).read_bytes(), name):
            yield name, each


def run(stack, host, wanted):
    folder = noted(stack)
    before, going = looks(stack, host)
    assert folder.name not in going
    found = list(cases(folder))[::wanted]
    for name, damage in found:
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(damage.content)
        there, goes = looks(stack, host)
        assert there == before, f"{name}: {damage.where}"
        assert folder.name not in goes, f"{name}: {damage.where}"
        path.write_bytes(whole)
    return len(found)


def test_a_damaged_note_hides_and_removes_nothing(stack, well):
    assert run(stack, well, SAMPLE)


@pytest.mark.matrix
def test_a_note_that_is_damaged_at_any_tried_place_hides_and_removes_nothing(stack, well):
    cases_tried = run(stack, well, 1)
    record("corruption", "a note beside a set, in any of these ways", "a set in its folder", cases=cases_tried)


def certificates(stack):
    folder = stack.state_folder / "drills"
    folder.mkdir(parents=True)
    (folder / "20261124T080000Z.json").write_text(to_json(certificate(ended=AT)))
    return folder / "20261124T080000Z.json"


@pytest.mark.parametrize("wanted", [SAMPLE, pytest.param(1, marks=pytest.mark.matrix)])
def test_a_damaged_certificate_keeps_nobody_from_looking_and_never_says_anything_else(stack, well, wanted):
    path = certificates(stack)
    sealed(stack.backup_folder)
    whole = path.read_bytes()
    before = budget_checks(stack, well, look_at(stack))
    (known,) = look_at(stack).certificates
    found = damages(whole, "certificate")[::wanted]
    for damage in found:
        path.write_bytes(damage.content)
        there = look_at(stack)
        assert there.certificates == (known,) or there.torn == (path.name,), damage.where
        status(stack, well)
        assert len(budget_checks(stack, well, look_at(stack))) == len(before)
    if wanted == 1:
        record("corruption", "a drill's certificate, in any of these ways", "state folder", cases=len(found))
