"""The upgrade: what happens in which order, and who serves what after a failure at each place."""

import json
from itertools import chain, repeat

import pytest
from botocore.exceptions import EndpointConnectionError

from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import (
    BackupFailedError,
    ConfirmationMissingError,
    InterruptedByOperatorError,
    OpsError,
    ReleaseRefusedError,
    RollbackFailedError,
    StackUnhealthyError,
    UpgradeRolledBackError,
)
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.upgrade import WAY_BACK, WayBack, parse_way_back, to_json, written_since
from chatwoot_ops.operations.backup_sets import store_of as sets_of
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.restore_settings import BEFORE_UPGRADE, save_settings
from chatwoot_ops.operations.rollback import roll_back
from chatwoot_ops.operations.upgrade import upgrade
from fake_s3 import failing
from keeping import COUNTS, well_base_backup, well_keeping
from off_site import REMOTE
from world import DIGEST, INSTANCE, VERSIONS, database_answer, place_in

FIRST = "clusters/first"
OLD = {"CHATWOOT_INSTANCE_ID": INSTANCE, "CHATWOOT_RELEASE": "v4.14.2-ce"}
IMAGE = f"chatwoot/chatwoot:v4.14.2-ce@{DIGEST}"
HIGH = "coalesce(max(id), 0)"
AT_STOP = json.dumps(COUNTS)
MORE = json.dumps({**COUNTS, "messages": 12, "contacts": 3})


@pytest.fixture
def values():
    return {**OLD, "CHATWOOT_IMAGE": IMAGE}


@pytest.fixture
def volume(well):
    """Each release's image knows its own migrations, and each cluster has those that were run in it."""
    volume, migrated = well_keeping(well), set()
    engine = well.processes
    engine.on_call("db:chatwoot_prepare", lambda _: migrated.add(volume.current) or Finished(0, "", ""))
    engine.on_call("invalid_indexes", lambda _: Finished(0, schema_of(volume.current in migrated), ""))
    engine.on_call("/app/db/migrate", lambda command: Finished(0, files_of(command), ""))
    return volume


def schema_of(migrated):
    return database_answer(versions=VERSIONS if migrated else VERSIONS[:1])


def files_of(command):
    old = any("4.14.2" in word for word in command.argv)
    return "\n".join(f"{version}_a.rb" for version in VERSIONS[: 1 if old else 2])


def values_of(stack):
    return read_env_file(stack.env_file).values


def ledger(stack, host):
    return json.loads(store_of(stack, host).ledger.read_text().splitlines()[-1])["outcome"]


def test_the_set_before_an_upgrade_is_of_the_kind_of_the_settings(tmp_path, well, volume):
    well_base_backup(well.processes)
    made = place_in(tmp_path, **OLD, CHATWOOT_IMAGE=IMAGE, BACKUP_KIND="physical")
    upgrade(unchecked_stack(made, read_env_file(made.env_file)), well, to="v4.15.1-ce", yes=True)
    (path,) = (tmp_path / "backups").iterdir()
    assert path.name.endswith("-physical")
    assert volume


def nth(number, stdout="", error=""):
    """Answers well, but badly this time of being asked."""
    well, bad = (lambda _: Finished(0, stdout, "")), (lambda _: Finished(1, "", error or "broken"))
    return [*([well] * (number - 1)), bad, well]


def order(engine, *parts):
    """Where each of these first happens; the test holds it to be ascending."""
    lines = engine.lines
    return [next(number for number, line in enumerate(lines) if part in line) for part in parts]


@pytest.mark.usefixtures("volume")
def test_an_upgrade_backs_up_copies_migrates_pins_and_proves_in_this_order(stack, well):
    result = upgrade(stack, well, to="4.15.1", yes=True)
    assert (result.before, result.release, result.migrations) == ("v4.14.2-ce", "v4.15.1-ce", 1)
    places = order(
        well.processes,
        "--snapshot=",
        "compose stop chatwoot-rails chatwoot-sidekiq",
        "compose stop chatwoot-db",
        "cp -a --reflink",
        "mv -T current.new current",
        "db:chatwoot_prepare",
        "find ./clusters",
    )
    assert places == sorted(places)
    assert values_of(stack)["CHATWOOT_RELEASE"] == "v4.15.1-ce"
    assert values_of(stack)["CHATWOOT_IMAGE"] == f"chatwoot/chatwoot:v4.15.1-ce@{DIGEST}"
    assert sets_of(stack).find("latest").manifest.note == "before the upgrade to v4.15.1-ce"
    kept = parse_way_back((stack.state_folder / WAY_BACK).read_text())
    assert kept == WayBack("v4.14.2-ce", "v4.15.1-ce", FIRST, COUNTS)


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("gone", [False, True])
def test_the_set_of_an_upgrade_is_off_site_or_the_result_warns_and_the_upgrade_stands(tmp_path, well, gone):
    made = place_in(tmp_path, **{**REMOTE, **OLD}, CHATWOOT_IMAGE=IMAGE)
    if gone:
        well.remotes.client.fault("put_object", failing(EndpointConnectionError(endpoint_url="http://x")))
    result = upgrade(unchecked_stack(made, read_env_file(made.env_file)), well, to="4.15.1", yes=True)
    (path,) = (tmp_path / "backups").iterdir()
    assert bool(read_set(path).off_site) is not gone
    assert ("not off-site" in result.warnings[0]) is gone
    assert read_env_file(made.env_file).values["CHATWOOT_RELEASE"] == "v4.15.1-ce"


@pytest.mark.usefixtures("volume")
def test_the_new_image_prepares_before_env_names_it(stack, well):
    upgrade(stack, well, to="4.15.1", yes=True)
    (prepare,) = [each for each in well.processes.ran if "db:chatwoot_prepare" in each.argv[-1]]
    assert prepare.environment["CHATWOOT_IMAGE"].startswith("chatwoot/chatwoot:v4.15.1-ce@")


@pytest.mark.usefixtures("volume")
def test_a_release_that_runs_already_is_no_upgrade(stack, well):
    well.processes.on("app.yml", "version: '4.14.2'\n").on("/app/db/migrate", f"{VERSIONS[0]}_a.rb")
    assert upgrade(stack, well, to="4.14.2").set == ""
    assert not well.processes.ran_with("compose stop")


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("answers", [(), (False,)], ids=["nobody there", "no"])
def test_the_plan_is_shown_and_an_upgrade_that_is_not_confirmed_touches_nothing(stack, well, answers):
    well.reporter.answers = list(answers)
    with pytest.raises(ConfirmationMissingError) as caught:
        upgrade(stack, well, to="4.15.1")
    assert caught.value.code == 14
    assert any(line.startswith("From v4.14.2-ce to v4.15.1-ce (chatwoot/") for line in well.reporter.notes)
    assert f"1 migrations will run: {VERSIONS[1]}" in well.reporter.notes
    assert not well.processes.ran_with("pg_dump")


@pytest.mark.usefixtures("volume")
def test_without_a_backup_set_there_is_no_upgrade(stack, well):
    well.processes.on("--snapshot=", code=1, stderr="broken")
    with pytest.raises(BackupFailedError) as caught:
        upgrade(stack, well, to="4.15.1", yes=True)
    assert caught.value.code == 22
    assert not well.processes.ran_with("compose stop")
    assert store_of(stack, well).read() is None


BROKEN = {
    "stop": ("compose stop chatwoot-rails chatwoot-sidekiq", 1),
    "stop the database": ("compose stop chatwoot-db", 1),
    "copy": ("cp -a --reflink", 1),
    "start of the database": ("compose up -d chatwoot-db chatwoot-redis", 1),
    "prepare": ("db:chatwoot_prepare", 1),
    "start": ("compose up -d\n", 1),
}


@pytest.mark.parametrize("where", BROKEN)
def test_a_failure_before_anybody_wrote_puts_release_and_data_back_and_proves_it(stack, well, volume, where):
    part, number = BROKEN[where]
    well.processes.on_call(part, *nth(number))
    with pytest.raises(UpgradeRolledBackError) as caught:
        upgrade(stack, well, to="4.15.1", yes=True)
    assert caught.value.code == 23
    assert "v4.14.2-ce serves with its data from before" in caught.value.remedy
    assert volume.current == FIRST
    assert values_of(stack)["CHATWOOT_IMAGE"] == IMAGE
    assert well.reporter.steps[-1] == "Asking the running stack"
    assert ledger(stack, well) == "failed with 23"
    assert store_of(stack, well).read() is None
    assert not (stack.state_folder / WAY_BACK).exists()
    assert well.processes.ran_with("rm -rf /volume/clusters/")


@pytest.mark.usefixtures("volume")
def test_migrations_that_are_still_missing_are_a_failure_too(stack, well):
    well.processes.on("invalid_indexes", database_answer(versions=VERSIONS[:1]))
    with pytest.raises(UpgradeRolledBackError, match="Migrations are still missing"):
        upgrade(stack, well, to="4.15.1", yes=True)


def test_a_failure_after_customers_wrote_puts_nothing_back_and_says_what_they_wrote(stack, well, volume):
    well.processes.on_call("compose up -d\n", *nth(1)).in_turn(HIGH, AT_STOP, AT_STOP, MORE)
    with pytest.raises(StackUnhealthyError) as caught:
        upgrade(stack, well, to="4.15.1", yes=True)
    assert caught.value.code == 21
    assert "after customers wrote (3 messages, 1 contacts)" in caught.value.message
    assert "invoke rollback --yes" in caught.value.remedy
    assert "invoke up" in caught.value.remedy
    assert volume.current != FIRST
    assert values_of(stack)["CHATWOOT_RELEASE"] == "v4.15.1-ce"
    assert (stack.state_folder / WAY_BACK).exists()


def test_a_database_that_cannot_be_asked_counts_as_written(stack, well, volume):
    replies = [Finished(0, AT_STOP, ""), Finished(0, AT_STOP, ""), Finished(2, "", "no answer")]
    well.processes.on_call("compose up -d\n", *nth(1)).on_call(HIGH, *(lambda _, r=r: r for r in replies))
    with pytest.raises(StackUnhealthyError, match="the database cannot be asked what"):
        upgrade(stack, well, to="4.15.1", yes=True)
    assert volume.current != FIRST


@pytest.mark.usefixtures("volume")
def test_rows_before_the_new_release_served_are_nobodys_loss(stack, well):
    well.processes.on_call("db:chatwoot_prepare", *nth(1)).in_turn(HIGH, AT_STOP, AT_STOP, MORE)
    with pytest.raises(UpgradeRolledBackError):
        upgrade(stack, well, to="4.15.1", yes=True)
    assert len(well.processes.ran_with(HIGH)) == 0
    assert sum(HIGH in (each.stdin or "") for each in well.processes.ran) == 2


def test_what_was_written_while_the_web_was_stopped_is_in_the_copy_and_no_loss(stack, well, volume):
    well.processes.on_call("compose up -d\n", *nth(1)).in_turn(HIGH, AT_STOP, MORE, MORE)
    with pytest.raises(UpgradeRolledBackError):
        upgrade(stack, well, to="4.15.1", yes=True)
    assert volume.current == FIRST


@pytest.mark.usefixtures("volume")
def test_what_cannot_be_put_back_needs_a_person(stack, well):
    broken = chain([Finished(1, "", "broken")], repeat(Finished(1, "", "still broken")))
    well.processes.on_call("compose up -d chatwoot-db chatwoot-redis", lambda _: next(broken))
    with pytest.raises(RollbackFailedError) as caught:
        upgrade(stack, well, to="4.15.1", yes=True)
    assert caught.value.code == 31
    assert any(line.startswith("rolling back: ") for line in caught.value.details)
    assert FIRST in caught.value.remedy


def interrupt(_):
    raise KeyboardInterrupt


def test_ctrl_c_before_the_start_puts_back_and_is_an_interruption(stack, well, volume):
    well.processes.on_call("db:chatwoot_prepare", interrupt)
    with pytest.raises(InterruptedByOperatorError) as caught:
        upgrade(stack, well, to="4.15.1", yes=True)
    assert caught.value.code == 130
    assert volume.current == FIRST
    assert ledger(stack, well) == "interrupted"


def test_ctrl_c_after_customers_wrote_puts_nothing_back(stack, well, volume):
    well.processes.on_call("compose up -d\n", interrupt, lambda _: Finished(0, "", ""))
    well.processes.in_turn(HIGH, AT_STOP, AT_STOP, MORE)
    with pytest.raises(StackUnhealthyError, match="it was interrupted"):
        upgrade(stack, well, to="4.15.1", yes=True)
    assert volume.current != FIRST


@pytest.fixture
def upgraded(stack, well, volume):
    save_settings(stack, BEFORE_UPGRADE)
    upgrade(stack, well, to="4.15.1", yes=True)
    volume.swaps.clear()
    return volume


def test_a_rollback_puts_release_and_data_back_and_says_what_is_given_up(place, stack, well, upgraded):
    well.processes.on(HIGH, MORE)
    result = roll_back(place, well, yes=True)
    assert (result.release, result.lost) == ("v4.14.2-ce", {"messages": 3, "contacts": 1})
    assert upgraded.swaps == [FIRST]
    assert values_of(stack)["CHATWOOT_IMAGE"] == IMAGE
    assert "written since, and lost then: 1 contacts, 3 messages" in well.reporter.notes[-1]
    with pytest.raises(ReleaseRefusedError, match="no upgrade to roll back") as caught:
        roll_back(place, well, yes=True)
    assert caught.value.code == 15


@pytest.mark.parametrize("answers", [(), (False,)], ids=["nobody there", "no"])
def test_a_rollback_that_is_not_confirmed_touches_nothing(place, well, upgraded, answers):
    well.reporter.answers = list(answers)
    with pytest.raises(ConfirmationMissingError):
        roll_back(place, well)
    assert upgraded.swaps == []


def test_a_rollback_works_while_the_database_is_silent_and_says_so(place, well, upgraded):
    well.processes.on_call(HIGH, lambda _: Finished(2, "", "down"))
    assert "could not be counted" in next(iter(roll_back(place, well, yes=True).lost))
    assert upgraded.swaps == [FIRST]


@pytest.mark.usefixtures("upgraded")
def test_a_rollback_that_fails_needs_a_person_and_can_be_tried_again(place, stack, well):
    well.processes.on_call("compose up -d chatwoot-db chatwoot-redis", *nth(1))
    with pytest.raises(RollbackFailedError) as caught:
        roll_back(place, well, yes=True)
    assert caught.value.code == 31
    assert (stack.state_folder / WAY_BACK).exists()
    assert roll_back(place, well, yes=True).release == "v4.14.2-ce"


def test_ctrl_c_in_a_rollback_ends_it_all_the_same(place, well, upgraded):
    well.processes.on_call("compose up -d", interrupt, lambda _: Finished(0, "", ""))
    with pytest.raises(InterruptedByOperatorError):
        roll_back(place, well, yes=True)
    assert upgraded.current == FIRST
    assert roll_back(place, well, yes=True).release == "v4.14.2-ce"


@pytest.mark.usefixtures("volume")
@pytest.mark.parametrize("text", ["", "{", "[]", '{"release": "x"}', '{"unknown": 1}'])
def test_a_damaged_way_back_is_none(place, stack, well, text):
    stack.state_folder.mkdir(exist_ok=True)
    (stack.state_folder / WAY_BACK).write_text(text)
    with pytest.raises(ReleaseRefusedError):
        roll_back(place, well, yes=True)


@pytest.mark.parametrize(
    ("now", "written"),
    [
        (COUNTS, {}),
        ({**COUNTS, "messages": 10}, {"messages": 1}),
        ({**COUNTS, "messages": 1}, {}),
        ({}, {}),
        ({**COUNTS, "other": 5}, {}),
    ],
)
def test_what_customers_wrote_is_what_the_counters_gained(now, written):
    assert written_since(COUNTS, now) == written


def test_a_way_back_is_read_as_it_was_written():
    back = WayBack("a", "b", "", COUNTS)
    assert parse_way_back(to_json(back)) == back


def test_every_failure_here_is_one_that_operators_know():
    assert {each.code for each in (UpgradeRolledBackError, StackUnhealthyError, RollbackFailedError)} == {23, 21, 31}
    assert issubclass(UpgradeRolledBackError, OpsError)
