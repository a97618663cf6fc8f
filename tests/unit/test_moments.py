"""A moment in time: which can be reached, from which set and chain, how far recovery goes, and what begins after it."""

import json
from dataclasses import replace

import pytest

from chatwoot_ops import console
from chatwoot_ops.adapters.journal_store import JournalStore
from chatwoot_ops.commands import physical, wal
from chatwoot_ops.errors import BackupSetInvalidError, RestoreFailedError, SettingsInvalidError
from chatwoot_ops.model.journal import Opening
from chatwoot_ops.model.reach import choose, moment_of, span_line, spans, stamp
from chatwoot_ops.model.stack import SERVICES, WAL
from chatwoot_ops.model.wal import Recovery, parse_archive
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import store_of
from chatwoot_ops.operations.chains import begin_again
from chatwoot_ops.operations.changing import store_of as journal_of
from chatwoot_ops.operations.loss import loss_of_restore
from chatwoot_ops.operations.moments import before_upgrade, named_source, source_of_moment
from chatwoot_ops.operations.probes.wal import archive
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_again
from fakes import COMPOSE, shown
from keeping import well_physical
from sets import CLUSTER, a_set, sealed_physical
from world import INSTALLED, SLOT, archive_listing, container, containers, stack_in, wal_answer

YES = RestoreOptions(yes=True)
HOUR = 3600
# The newest WAL came at 08:59:50, the last transaction ended at 08:50.
RECEIVED, LAST = 1795507190 + HOUR, "2026-11-24 08:50:00.25+00:00\n"
REACHED = json.dumps(["2026-11-24 08:50:00.25+00", "0/3001000"])


@pytest.fixture
def values():
    return {**INSTALLED, "WAL_ARCHIVE": "async"}


@pytest.fixture
def archived(stack, well):
    """A host with a physical set of 08:00 and WAL up to 08:59:50, an hour later; nobody receives any more."""
    sealed_physical(stack.backup_folder)
    well_physical(well)
    well.clock.passed = HOUR
    containers(well, *(container(service) for service in (*SERVICES, WAL)))
    well.processes.on("for chain in", archive_listing(1, 2, 3, at=RECEIVED)).on("pg_waldump", LAST)
    well.processes.on("pg_stat_replication", wal_answer(receivers=()))
    well.processes.on("recovery.signal", "").on("pg_last_xact_replay_timestamp", REACHED)
    return well


def found(stack, host, asked, name="latest"):
    return source_of_moment(stack, host, asked, name).recovery


def span_of(created, *numbers, sequence=1, cluster=CLUSTER, at=RECEIVED):
    (chain,) = parse_archive(archive_listing(*numbers, at=at))
    made = a_set(kind="physical", cluster=cluster, created=created, sequence=sequence, name=f"set {sequence}")
    return spans((chain,), (made,))


def test_a_moment_between_set_and_end_is_reached_by_stopping_there(stack, archived):
    recovery = found(stack, archived, "2026-11-24 09:30:00+01:00")
    assert recovery == Recovery(SLOT, "2026-11-24 08:30:00+00", "", "2026-11-24 08:30:00+00")


@pytest.mark.parametrize("asked", ["latest", "2026-11-24T08:55:00Z"])
def test_past_the_last_change_all_wal_is_read_because_the_server_would_wait_for_a_later_one(stack, archived, asked):
    recovery = found(stack, archived, asked)
    assert (recovery.until, recovery.newest) == ("", "2026-11-24 08:50:00.250000+00")
    assert recovery.moment == ("2026-11-24 08:50:00.250000+00" if asked == "latest" else "2026-11-24 08:55:00+00")


def test_an_archive_without_any_change_is_read_to_its_end(stack, archived):
    archived.processes.on("pg_waldump", "")
    assert found(stack, archived, "latest") == Recovery(SLOT, "", "", "2026-11-24 08:59:50.500000+00")


@pytest.mark.parametrize("asked", ["2026-11-24T08:00:00.9Z", "2026-11-24T08:59:51Z"])
def test_a_moment_outside_is_refused_with_the_first_and_the_last_that_can_be_reached(stack, archived, asked):
    with pytest.raises(BackupSetInvalidError, match="cannot be reached") as caught:
        source_of_moment(stack, archived, asked)
    assert caught.value.code == 13
    line = f"20261124T080000Z-physical: 2026-11-24 08:00:01+00 to 2026-11-24 08:59:50.500000+00 ({SLOT})"
    assert caught.value.details == (line,)


def test_while_the_receiver_has_all_there_is_the_present_can_be_reached(stack, archived):
    archived.processes.on("pg_stat_replication", wal_answer())
    assert found(stack, archived, "2026-11-24T08:59:59Z").until == ""
    archived.processes.on("pg_stat_replication", code=1)
    with pytest.raises(BackupSetInvalidError):
        found(stack, archived, "2026-11-24T08:59:59Z")


@pytest.mark.parametrize("asked", ["yesterday", "2026-11-24 08:30:00", ""])
def test_a_time_without_its_zone_is_no_moment(stack, archived, asked):
    with pytest.raises(SettingsInvalidError, match="no time with its time zone"):
        source_of_moment(stack, archived, asked)


def test_without_a_base_backup_nothing_can_be_reached(stack, well):
    well.processes.on("for chain in", archive_listing(1, 2, at=RECEIVED))
    with pytest.raises(BackupSetInvalidError) as caught:
        source_of_moment(stack, well, "latest")
    assert caught.value.details[0].startswith("nothing: no physical set")


def test_a_gap_in_the_wal_leaves_nothing_to_reach_and_is_named(stack, archived):
    archived.processes.on("for chain in", archive_listing(1, 2, 4, at=RECEIVED))
    with pytest.raises(BackupSetInvalidError) as caught:
        source_of_moment(stack, archived, "latest")
    assert "lacks the segment 000000010000000000000003" in caught.value.details[0]


@pytest.mark.parametrize(
    "cluster",
    [
        replace(CLUSTER, folder="another"),
        replace(CLUSTER, system_identifier="8"),
        replace(CLUSTER, timeline=2),
        replace(CLUSTER, start_lsn="0/9000028"),
        None,
    ],
    ids=["of another folder", "of another system", "of another timeline", "started after it", "no cluster"],
)
def test_a_set_goes_on_only_with_the_wal_of_its_own_cluster(cluster):
    assert span_of("2026-11-24T08:00:00Z", 2, 3, cluster=cluster) == ()


def test_a_set_older_than_its_chain_is_no_base_for_it():
    assert span_of("2026-11-24T08:00:00Z", 3, 4) == ()


def test_the_newest_set_that_fits_has_the_least_wal_to_read():
    (old,) = span_of("2026-11-24T08:00:00Z", 2, 3)
    (new,) = span_of("2026-11-24T08:20:00Z", 2, 3, sequence=2)
    assert choose((old, new), moment_of("2026-11-24T08:10:00Z")) is old
    assert choose((old, new), moment_of("2026-11-24T08:30:00Z")) is new
    assert choose((new, old), None) is new
    assert choose((), None) is None
    assert span_line(old).startswith("set 1: 2026-11-24 08:00:01+00 to")
    assert stamp(moment_of("2026-11-24T08:10:00.5+01:00")) == "2026-11-24 07:10:00.500000+00"


def test_a_set_that_is_named_is_the_one_that_is_used(stack, archived):
    assert found(stack, archived, "latest", "20261124T080000Z-physical").chain == SLOT
    with pytest.raises(BackupSetInvalidError):
        found(stack, archived, "latest", "20261124T070000Z-physical")


def test_recovery_reads_the_archive_stops_in_time_and_is_not_open_before(stack):
    at = Recovery(SLOT, "2026-11-24 08:30:00+00", "", "then")
    how = {"operation": "op1", "cluster": "new", "folder": "/b/s"}
    line = shown(physical.start(stack, COMPOSE, **how, recovery=at))
    assert "--volume chatwoot-wal:/wal:ro" in line
    for option in ("hot_standby=off", "recovery_target_action=promote", "recovery_target_time=2026-11-24 08:30:00+00"):
        assert f"-c {option}" in line
    assert f'cp "/wal/{SLOT}/%f" "%p" || cp "/wal/{SLOT}/%f.partial" "%p"' in line
    assert "recovery_target_time=" not in shown(physical.start(stack, COMPOSE, **how, recovery=replace(at, until="")))
    plain = shown(physical.start(stack, COMPOSE, **how))
    assert "/wal" not in plain
    assert "recovery" not in plain


def test_a_restore_recovers_says_which_point_was_reached_and_begins_a_new_chain(stack, archived, capsys):
    source = source_of_moment(stack, archived, "2026-11-24T08:30:00Z")
    streaming = wal_answer(cluster="new", receivers=({"slot": f"{SLOT}x"},))
    archived.processes.on("for chain in", archive_listing(3, name=f"{SLOT}x", cluster="new", at=RECEIVED))
    archived.processes.on("pg_stat_replication", streaming)
    result = restore(stack, archived, source, YES)
    parts = ("pg_verifybackup", "recovery.signal", "echo > /tmp/serve")
    places = [next(n for n, line in enumerate(archived.processes.lines) if part in line) for part in parts]
    assert places == sorted(places)
    assert places[0] < places[1], "it must not serve before it knows that it is to recover"
    assert result.notes[0] == "Recovered up to the last change of 2026-11-24 08:50:00.25+00, at 0/3001000 in the WAL."
    made = store_of(stack).sets()[-1].manifest
    assert result.notes[-1] == f"A new WAL chain has begun, {SLOT}x, with its base backup {made.name}."
    assert (made.kind, made.note) == ("physical", "base backup of a new WAL chain")
    console.show(result)
    assert "its WAL up to 2026-11-24 08:30:00+00" in capsys.readouterr().out


def test_wal_that_ends_before_the_last_change_is_damaged_and_the_old_data_serves(stack, archived):
    source = source_of_moment(stack, archived, "latest")
    archived.processes.on("pg_last_xact_replay_timestamp", json.dumps([None, "0/2000100"]))
    with pytest.raises(RestoreFailedError, match="before the last change of") as caught:
        restore(stack, archived, source, YES)
    assert caught.value.code == 26
    assert not archived.processes.ran_with("compose stop")


def test_a_recovery_that_was_cut_off_is_found_again_with_its_moment(stack, archived):
    source = source_of_moment(stack, archived, "2026-11-24T08:30:00Z")
    again = source_again(stack, source.noted())
    assert (again.recovery, again.set.path) == (source.recovery, source.set.path)
    assert source_again(stack, {"set": source.set.path}).recovery is None


def test_what_is_newer_than_the_moment_would_be_lost(stack, archived):
    lines = loss_of_restore(stack, archived, source_of_moment(stack, archived, "2026-11-24T08:30:00Z"))
    assert "newer than 2026-11-24 08:30:00+00" in lines[0]
    asked = next(each.stdin for each in archived.processes.ran if "max(created_at)" in (each.stdin or ""))
    assert "created_at > '2026-11-24 08:30:00+00'" in asked


def test_only_one_source_can_be_named(stack, archived):
    where = {"set": "latest", "dump": "", "storage": "", "to": "latest", "before": "last"}
    with pytest.raises(SettingsInvalidError, match="Choose one of"):
        named_source(stack, archived, where)


def upgraded(stack, host, started, target):
    opening = Opening("upgrade", "op", "ada", 7, started, {"to": "", "target": target})
    store = journal_of(stack, host)
    store.open(opening)
    store.close(opening, "done")


def test_the_moment_before_an_upgrade_is_known_by_its_release_or_as_the_last(stack, archived):
    upgraded(stack, archived, "2026-11-24T08:10:00Z", "v4.15.0-ce")
    upgraded(stack, archived, "2026-11-24T08:20:00Z", "v4.15.1-ce")
    assert before_upgrade(stack, archived, "v4.15.0-ce") == "2026-11-24T08:10:00Z"
    where = {"set": "latest", "dump": "", "storage": "", "to": "", "before": "last"}
    assert named_source(stack, archived, where).recovery.until == "2026-11-24 08:20:00+00"
    with pytest.raises(BackupSetInvalidError) as caught:
        before_upgrade(stack, archived, "v9")
    assert caught.value.details == ("2026-11-24T08:10:00Z to v4.15.0-ce", "2026-11-24T08:20:00Z to v4.15.1-ce")


def test_a_ledger_that_is_not_there_knows_no_upgrade_and_a_cut_off_line_is_left_out(tmp_path, stack, archived):
    assert JournalStore(tmp_path / "none", archived.clock).entries() == ()
    upgraded(stack, archived, "2026-11-24T08:10:00Z", "v4.15.0-ce")
    ledger = journal_of(stack, archived).ledger
    ledger.write_text(ledger.read_text() + '{"operation": "up')
    assert len(journal_of(stack, archived).entries()) == 1


class Noting:
    """A change that only notes."""

    def __init__(self):
        self.steps, self.changed = [], []

    def step(self, name, _text, **_facts):
        self.steps.append(name)

    def made(self, text):
        self.changed.append(text)


def test_without_an_archive_nothing_begins_anew(tmp_path, well):
    change = Noting()
    begin_again(stack_in(tmp_path, WAL_ARCHIVE="off"), well, change)
    assert (change.steps, change.changed) == ([], [])


def test_a_chain_that_does_not_begin_leaves_the_restore_standing_and_says_what_to_type(stack, archived):
    change = Noting()
    begin_again(stack, archived, change)
    assert change.steps == ["new-chain"]
    assert change.changed[0].startswith("warning: no WAL is archived yet")
    assert "invoke backup --kind physical" in change.changed[0]


def test_a_base_backup_that_fails_leaves_the_restore_standing(stack, archived):
    archived.processes.on("pg_stat_replication", wal_answer()).on("pg_basebackup", code=1)
    change = Noting()
    change.opening, change.resumed_facts = Opening("restore", "op", "ada", 7, "t"), lambda _: {}
    begin_again(stack, archived, change)
    assert change.changed[0].startswith("warning: the new WAL chain has no base backup")


def test_after_a_backup_wal_that_no_set_needs_is_removed_and_no_more(stack, archived):
    archived.processes.on("while read -r file", "")
    back_up(stack, archived, kind="physical")
    (removed,) = [each for each in archived.processes.ran if "while read -r file" in shown(each)]
    assert removed.stdin == f"{SLOT}/000000010000000000000001\n"


def test_an_archive_that_cannot_be_pruned_leaves_the_backup_good_and_is_said(stack, archived):
    archived.processes.on("for chain in", code=1)
    assert back_up(stack, archived, kind="physical").set.manifest.kind == "physical"
    assert archived.reporter.notes[-1].startswith("No WAL was removed from the archive")


def test_a_chain_without_a_set_of_its_own_is_left_whole(stack, archived):
    archived.processes.on("for chain in", archive_listing(1, 2, 3, cluster="another", at=RECEIVED))
    back_up(stack, archived, kind="physical")
    assert not archived.processes.ran_with("while read -r file")


def test_doctor_says_what_can_be_reached_and_fails_without_a_base_backup(stack, archived):
    archived.processes.on("pg_stat_replication", wal_answer())
    check = archive(stack, archived)[-1]
    assert check.seen.endswith("any moment from 2026-11-24 08:00:01+00 to 2026-11-24 09:00:00+00")
    archived.processes.on("for chain in", archive_listing(3, 4, at=RECEIVED))
    check = archive(stack, archived)[-1]
    assert (check.outcome, "--kind physical" in check.remedy) == ("fail", True)


def test_the_last_change_is_read_without_a_network(stack):
    (chain,) = parse_archive(archive_listing(1))
    command = wal.last_change(stack, chain)
    assert shown(command).startswith("docker run --rm -i --network none --user 0 --volume chatwoot-wal:/volume:ro")
    assert f"chain={SLOT}\n" in command.argv[-1]
