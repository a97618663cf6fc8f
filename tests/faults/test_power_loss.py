"""The power is lost while sets are made, pulled, marked and pruned: what has its name is whole, what was said stands.

Needs root, because it mounts; part of `nox -s faults`, which runs as root.
"""

import json
import os
import shutil

import pytest

from chatwoot_ops.adapters.backup_store import checksum_problems
from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.model.cluster import LOGICAL, PHYSICAL
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import list_sets, store_of
from chatwoot_ops.operations.changing import store_of as journal_of
from chatwoot_ops.operations.keep import keep
from chatwoot_ops.operations.opening import Place, unchecked_stack
from chatwoot_ops.operations.prune import prune
from chatwoot_ops.operations.pulling import pull
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.recover import recover
from fault_table import record
from faults.forms import logical
from faults.machine import SETTINGS, a_host
from power import Disk
from sets import sealed
from world import FOLDER, place_in

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(900)]
COPIES = 60


@pytest.fixture(autouse=True)
def _every_copy_is_a_machine_of_its_own(monkeypatch):
    # The copies are looked at after the operation ended; the lock of a machine that went dark is gone too.
    monkeypatch.setattr("chatwoot_ops.operations.recover.is_held", lambda _: False)


def stack_of(place):
    return unchecked_stack(place, read_env_file(place.env_file))


@pytest.fixture
def disk(tmp_path, request, monkeypatch):
    disk = Disk(tmp_path, request.node.name, COPIES, 0.25)
    with disk.at_risk(monkeypatch):
        yield disk


def there_is_only_what_is_whole(place, host, known):
    """Every set that has its name is whole, and those that were acknowledged have theirs."""
    found = list_sets(stack_of(place), host)
    assert found.damaged == ()
    assert [problem for each in found.sets for problem in checksum_problems(each)] == []
    names = {each.manifest.name for each in found.sets}
    assert set(known.get("sets", ())) - set(known.get("going", ())) <= names
    return names


def recovered(place, host, number, kind):
    """Ends what was cut off, one way or the other; then nothing half is left and the next backup is taken."""
    way = {"finish": True} if number % 2 else {"undo": True}
    recover(place, host, **way)
    stack = stack_of(place)
    assert journal_of(stack, host).read() is None
    back_up(stack, host, kind=kind)
    left = [each.name for each in stack.backup_folder.iterdir()]
    assert [each for each in left if each.endswith((".partial", ".removing"))] == []


def look_at(disk, check=lambda *_: None, *, kind=LOGICAL):
    """Every copy: whole sets only, then what the test asks, then recovery and the next backup."""
    tried = 0
    for tried, (root, known) in enumerate(disk.survivors(), 1):
        place, there = Place(FOLDER, root / ".env"), a_host(kind)
        names = there_is_only_what_is_whole(place, there, known)
        check(place, known, names)
        recovered(place, there, tried, kind)
        there_is_only_what_is_whole(place, there, known)
    assert tried >= COPIES // 2, f"only {tried} copies of {disk.events} moments"
    return tried


@pytest.mark.parametrize("kind", [LOGICAL, PHYSICAL])
def test_while_sets_are_made(disk, kind):
    place, host = place_in(disk.root, **SETTINGS), a_host(kind)
    back_up(stack_of(place), host, kind=kind)
    disk.record()
    for _ in range(6):
        host.clock.sleep(60)
        made = back_up(stack_of(place), host, kind=kind).set.manifest.name
        disk.known.setdefault("sets", []).append(made)
    record("power loss", f"while a {kind} set is made", "backup folder", cases=look_at(disk, kind=kind))


def test_while_a_set_is_pulled(disk, tmp_path):
    (tmp_path / "origin").mkdir()
    origin, host = place_in(tmp_path / "origin", **SETTINGS), a_host()
    place = place_in(disk.root, **SETTINGS)
    logical(stack_of(origin).backup_folder, 1)
    push(stack_of(origin), host)
    disk.record()

    def another(remote=host.remotes):
        made = a_host()
        made.remotes.client.objects = dict(remote.client.objects)
        return made

    for _ in range(6):
        name = pull(place, host).set.manifest.name
        disk.known["pulled"] = True
        os.sync()
        # Gone behind the tool's back, so that there is something to fetch again: not what is tried here.
        with disk.safe():
            disk.known["pulled"] = False
            shutil.rmtree(stack_of(place).backup_folder / name)
            os.sync()
    record("power loss", "while a set is pulled", "backup folder", cases=look_at_pulled(disk, another))


def look_at_pulled(disk, host):
    """As `look_at`; recovery brings the set or takes away what was fetched, and the next pull brings it."""
    tried = 0
    for tried, (root, known) in enumerate(disk.survivors(), 1):
        place, there = Place(FOLDER, root / ".env"), host()
        names = there_is_only_what_is_whole(place, there, known)
        assert names or not known.get("pulled")
        recover(place, there, **({"finish": True} if tried % 2 else {"undo": True}))
        assert checksum_problems(pull(place, there).set) == ()
    assert tried >= COPIES // 2, f"only {tried} copies of {disk.events} moments"
    return tried


def test_while_sets_are_pruned(disk):
    place, host = place_in(disk.root, **SETTINGS), a_host()
    stack = stack_of(place)
    for number in range(9):
        sealed(
            stack.backup_folder, stamp=f"202611{number + 1:02d}T000000Z", created=f"2026-11-{number + 1:02d}T00:00:00Z"
        )
    disk.known["sets"] = [each.manifest.name for each in store_of(stack).sets()]
    disk.known["going"] = disk.known["sets"][:-2]
    disk.record()
    gone = []
    disk.known["gone"] = gone
    for _ in range(3):
        gone += prune(stack, host, yes=True).removed
        for number in range(4):
            host.clock.sleep(60)
            made = sealed(stack.backup_folder, stamp=f"20261124T08{len(gone):02d}{number:02d}Z").name
            disk.known["sets"].append(made)
            disk.known["going"].append(made)

    def gone_stays_gone(_, known, names):
        assert not names & set(known["gone"])

    record("power loss", "while sets are pruned", "backup folder", cases=look_at(disk, gone_stays_gone))


def test_while_settings_journal_ledger_and_marks_are_written(disk):
    place, host = place_in(disk.root, **SETTINGS), a_host()
    stack = stack_of(place)
    back_up(stack, host)
    disk.known |= {"settings": 2, "ledger": 1, "sets": [each.manifest.name for each in store_of(stack).sets()]}
    write_env_file(place.env_file, with_values(place.env_file.read_text(), {"BACKUP_KEEP_LAST": "2"}))
    disk.record()
    for number in range(3, 30):
        write_env_file(place.env_file, with_values(place.env_file.read_text(), {"BACKUP_KEEP_LAST": str(number)}))
        disk.known["settings"] = number
        keep(stack, host, "latest", off=bool(number % 2))
        disk.known["ledger"] += 1

    def old_or_new(place, known, _):
        found = read_env_file(place.env_file)
        assert found.problems == ()
        assert int(found.values["BACKUP_KEEP_LAST"]) in {known["settings"], known["settings"] + 1}
        ledger = journal_of(stack_of(place), a_host())
        assert len(ledger.entries()) in {known["ledger"], known["ledger"] + 1}
        assert all(json.loads(line) for line in ledger.ledger.read_text().splitlines())

    record(
        "power loss", "while settings, journal, ledger and marks are written", "state", cases=look_at(disk, old_or_new)
    )


def test_a_tool_that_did_not_wait_for_the_disk_would_be_found_out(disk):
    # The guard of the guards: what was acknowledged is gone, or a set has its name and not its content.
    place, host = place_in(disk.root, **SETTINGS), a_host()
    back_up(stack_of(place), host)
    disk.record()
    disk.deaf = True
    for _ in range(6):
        host.clock.sleep(60)
        disk.known.setdefault("sets", []).append(back_up(stack_of(place), host).set.manifest.name)
    damaged = lost = 0
    for root, known in disk.survivors():
        found = list_sets(stack_of(Place(FOLDER, root / ".env")), a_host())
        damaged += bool(found.damaged or any(checksum_problems(each) for each in found.sets))
        lost += bool(set(known.get("sets", ())) - {each.manifest.name for each in found.sets})
    assert damaged
    assert lost
