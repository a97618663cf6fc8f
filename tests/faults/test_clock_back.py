"""A clock that goes backwards: the newest set stays the newest, nothing is pruned for it, and budgets say so."""

from datetime import timedelta

import pytest

from chatwoot_ops.adapters.backup_store import checksum_problems
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.adapters.run_notes import RunNotes
from chatwoot_ops.model.certificate import to_json
from chatwoot_ops.model.check import Outcome
from chatwoot_ops.model.cluster import LOGICAL, PHYSICAL
from chatwoot_ops.model.reach import choose, spans
from chatwoot_ops.model.run_note import RunNote
from chatwoot_ops.model.wal import Chain
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import list_sets, store_of
from chatwoot_ops.operations.budgets import budget_checks
from chatwoot_ops.operations.changing import store_of as journal_of
from chatwoot_ops.operations.known import look_at
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.prune import prune
from chatwoot_ops.operations.pulling import pull
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.recover import recover
from fault_table import record
from faults.forms import PUBLIC
from keeping import well_keeping, well_physical
from killed import KilledError
from off_site import REMOTE
from sets import CLUSTER, certificate
from world import FOLDER, place_in

YEARS = -6 * 365 * 24 * 3600
KINDS = [(LOGICAL, "settings"), (PHYSICAL, "settings"), (LOGICAL, "all"), (PHYSICAL, "all")]
RULES = {"BACKUP_KEEP_DAILY": "0", "BACKUP_KEEP_WEEKLY": "0", "BACKUP_KEEP_MONTHLY": "0", "BACKUP_KEEP_YEARLY": "0"}
BUDGETS = {"BACKUP_MAX_AGE": "26h", "DRILL_MAX_AGE": "30d"}


@pytest.fixture(params=KINDS, ids=[f"{kind}, {what} encrypted" for kind, what in KINDS])
def kind(request):
    return request.param


@pytest.fixture
def stack(tmp_path, kind):
    given = {**REMOTE, **RULES, **BUDGETS, "BACKUP_KEEP_LAST": "1", "BACKUP_ENCRYPT": kind[1]}
    place = place_in(tmp_path, **given, BACKUP_RECIPIENTS=PUBLIC, CHATWOOT_RELEASE="v4.15.1-ce")
    return unchecked_stack(place, read_env_file(place.env_file))


@pytest.fixture
def host(well, kind):
    (well_physical if kind[0] == PHYSICAL else well_keeping)(well)
    return well


def back(host, seconds=YEARS):
    """The clock is put back, or was wrong before and is right now."""
    host.clock.passed += seconds


def noted(fault, kind):
    record("clock", fault, f"{kind[0]} set{', encrypted' if kind[1] == 'all' else ''}")


def test_the_set_that_was_made_last_is_the_latest_and_the_one_that_stays(stack, host, kind):
    first = back_up(stack, host, kind=kind[0]).set.manifest
    back(host)
    second = back_up(stack, host, kind=kind[0]).set.manifest
    assert second.created < first.created
    assert [each.manifest.name for each in list_sets(stack, host).sets] == [first.name, second.name]
    assert store_of(stack).find("latest").manifest == second
    push(stack, host, first.name)
    assert prune(stack, host, yes=True).removed == (first.name,)
    assert [each.manifest.name for each in list_sets(stack, host).sets] == [second.name]
    noted("put back between two backups, then pruned", kind)


def test_a_second_that_comes_again_makes_another_set_and_replaces_none(stack, host, kind):
    first = back_up(stack, host, kind=kind[0]).set
    host.clock.passed = 0.0
    second = back_up(stack, host, kind=kind[0]).set
    assert first.manifest.name != second.manifest.name
    assert (checksum_problems(first), checksum_problems(second)) == ((), ())
    noted("the same second twice", kind)


def test_put_back_while_a_set_is_made_the_set_is_whole_and_took_no_negative_time(stack, host, kind):
    step = host.reporter.step
    host.reporter.step = lambda text: (step(text), back(host, -3600) if "storage" in text else None)
    # The clock of a machine that measures time goes on whatever the clock on its wall does.
    host.clock.monotonic = iter(range(1000)).__next__
    made = back_up(stack, host, kind=kind[0])
    assert made.seconds > 0
    assert checksum_problems(made.set) == ()
    noted("put back while a set is made", kind)


def test_a_newest_set_of_a_time_that_has_not_come_is_no_backup_in_time(stack, host, kind):
    back_up(stack, host, kind=kind[0])
    back(host)
    (age,) = (each for each in budget_checks(stack, host, look_at(stack)) if each.name == "backup age")
    assert age.outcome is Outcome.FAIL
    assert "has not come yet" in age.seen
    back_up(stack, host, kind=kind[0])
    (age,) = (each for each in budget_checks(stack, host, look_at(stack)) if each.name == "backup age")
    assert age.outcome is Outcome.PASS
    noted("put back, then looked at the budgets", kind)


def test_the_copy_off_site_that_was_made_last_is_the_latest_there(stack, host, kind):
    push(stack, host, back_up(stack, host, kind=kind[0]).set.path)
    back(host)
    second = back_up(stack, host, kind=kind[0]).set
    push(stack, host, second.path)
    assert pull(Place(FOLDER, stack.env_file), host).set.manifest == second.manifest
    noted("put back between two pushes, then pulled", kind)


def test_an_operation_that_was_cut_off_before_the_clock_went_back_is_ended(stack, host, kind):
    def killed(_):
        raise KilledError

    step = host.reporter.step
    host.reporter.step = lambda text: killed(text) if "storage" in text else step(text)
    with pytest.raises(KilledError):
        back_up(stack, host, kind=kind[0])
    host.reporter.step = step
    back(host)
    assert recover(Place(FOLDER, stack.env_file), host, finish=True).ended
    (made,) = list_sets(stack, host).sets
    assert checksum_problems(made) == ()
    last = journal_of(stack, host).entries()[-1]
    assert last.outcome == "done"
    noted("put back between a kill and its recovery", kind)


def moments(stack, host):
    """A base before the clock went back and one after, with the chain that belongs to both."""
    back_up(stack, host, kind=PHYSICAL)
    back(host, -7200)
    back_up(stack, host, kind=PHYSICAL)
    return list_sets(stack, host).sets


@pytest.mark.parametrize("kind", [KINDS[1]], indirect=True, ids=["physical"])
def test_of_a_chain_the_base_that_was_made_last_is_gone_on_from(stack, host, kind):
    sets = moments(stack, host)
    system, cluster = CLUSTER.system_identifier, CLUSTER.folder
    received = (host.clock.now() + timedelta(minutes=5)).isoformat()
    begun = "2026-11-24T05:00:00Z"
    segments = tuple(f"0000000100000000{number:08X}" for number in (1, 2, 3))
    where = (system, cluster, "00000001", begun, "0/1000028", 16 * 1024**2)
    chain = Chain("chatwoot_wal_x", *where, segments, received=received)
    chosen = choose(spans([chain], sets), None)
    assert chosen is not None
    assert chosen.set.manifest == sets[-1].manifest
    asked = host.clock.now() + timedelta(minutes=2)
    assert choose(spans([chain], sets), asked).set.manifest == sets[-1].manifest
    noted("put back between two base backups of a WAL chain", kind)


@pytest.mark.parametrize("kind", [KINDS[0]], indirect=True, ids=["logical"])
def test_a_drill_and_a_scheduled_run_of_a_time_that_has_not_come_are_failures(stack, host, kind):
    (stack.state_folder / "drills").mkdir(parents=True)
    ended = "2026-11-24T08:00:00Z"
    (stack.state_folder / "drills" / "20261124T080000Z.json").write_text(to_json(certificate(ended=ended)))
    RunNotes(stack.state_folder).installed("2020-01-01T00:00:00+00:00")
    RunNotes(stack.state_folder).write(RunNote("backup", ended, ended, 0, "", ended))
    back(host)
    found = {each.name: each for each in budget_checks(stack, host, look_at(stack))}
    for name in ("drill age", "scheduled backup"):
        assert found[name].outcome is Outcome.FAIL
        assert "not come yet" in found[name].seen
    record("clock", "put back after a drill and a scheduled run", "budgets and schedule", cases=2)
