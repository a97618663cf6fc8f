"""Recovering a restore that was cut off while its indexes were built: nothing that customers wrote is lost."""
# ruff: noqa: PLR0917 - pytest hands its fixtures over by name

import json

import pytest

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.errors import IndexesMissingError, StackLockedError, StackUnhealthyError
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.restore_settings import BEFORE_RESTORE, save_settings
from index_world import ALL, well_indexes
from keeping import COUNTS
from world import INSTALLED, container, containers

FIRST, SECOND = "clusters/first", "clusters/second"
STAGE = Step("stage", "t", {"cluster": "second", "operation": "abc"})
STORAGE = Step("storage", "t", {"indexes": ALL, "high": COUNTS})
SWAPPED = tuple(Step(name, "t", {"previous": FIRST, "target": SECOND}) for name in ("stop", "swap"))
SERVED = (STAGE, STORAGE, Step("keys", "t"), *SWAPPED, *(Step(name, "t") for name in ("start", "smoke", "clean")))
CUT_OFF = (*SERVED, Step("build-indexes", "t"))


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def catalog(well, volume):
    """The second cluster serves; one index of its dump is missing and one half built."""
    volume.current = SECOND
    return well_indexes(well, "public.by_account", "public.by_token", broken=["public.by_text"])


def cut_off(stack, store, *steps, operation="restore"):
    save_settings(stack, BEFORE_RESTORE)
    brought = with_values(read_env_file(stack.env_file).text, {"SECRET_KEY_BASE": "of-the-set-0123456789"})
    write_env_file(stack.env_file, brought)
    store.open(Opening(operation, "abc", "ada", 7, "t0", {"source": {"set": "gone"}}), steps)


def test_what_was_cut_off_is_shown_as_serving(place, stack, well, store, catalog):
    cut_off(stack, store, *CUT_OFF)
    assert "The restored data serves; only indexes are missing." in recover(place, well).text


def test_finishing_builds_the_rest_and_restores_nothing_again(place, stack, well, store, volume, catalog):
    cut_off(stack, store, *CUT_OFF)
    assert recover(place, well, finish=True).ended
    assert set(catalog.there) == set(ALL)
    assert volume.swaps == []
    assert not well.processes.ran_with("stage.sh")
    assert not well.processes.ran_with("find ./clusters")
    assert well.processes.ran_with("compose up -d chatwoot-db chatwoot-redis")
    assert store.read() is None
    assert not (stack.state_folder / BEFORE_RESTORE).exists()


@pytest.mark.parametrize("cut", range(len(SERVED) - 3, len(SERVED) + 1))
def test_finishing_what_was_swapped_in_builds_its_indexes_too(place, stack, well, store, volume, catalog, cut):
    cut_off(stack, store, *SERVED[:cut])
    assert recover(place, well, finish=True).ended
    assert set(catalog.there) == set(ALL)
    assert volume.swaps == []


@pytest.mark.parametrize("steps", [CUT_OFF, SERVED, (*SERVED, Step("new-chain", "t"))])
def test_a_stack_that_does_not_start_then_is_not_put_back(place, stack, well, store, volume, catalog, steps):
    containers(well, container("chatwoot-rails", health="unhealthy"))
    well.processes.on("compose logs", "")
    cut_off(stack, store, *steps)
    with pytest.raises(StackUnhealthyError):
        recover(place, well, finish=True)
    assert volume.swaps == []
    assert store.read().reached("clean")


def test_a_build_that_fails_again_can_be_finished_once_more(place, stack, well, store, volume, catalog):
    cut_off(stack, store, *CUT_OFF)
    catalog.fails = "public.by_text"
    with pytest.raises(IndexesMissingError):
        recover(place, well, finish=True)
    catalog.fails = ""
    assert recover(place, well, finish=True).ended
    assert set(catalog.there) == set(ALL)
    assert store.read() is None


def test_undoing_puts_the_old_data_and_its_keys_back(place, stack, well, store, volume, catalog):
    cut_off(stack, store, *CUT_OFF)
    assert recover(place, well, undo=True).ended
    assert volume.swaps == [FIRST]
    assert read_env_file(place.env_file).values["SECRET_KEY_BASE"] == stack.settings["SECRET_KEY_BASE"]
    assert not catalog.sent


@pytest.mark.parametrize("steps", [CUT_OFF, SERVED])
def test_undoing_is_refused_once_customers_wrote(place, stack, well, store, volume, catalog, steps):
    well.processes.on("coalesce(max(id), 0)", json.dumps({**COUNTS, "messages": 12}))
    cut_off(stack, store, *steps)
    with pytest.raises(StackLockedError, match=r"wrote to the restored data \(up to 3 messages\)") as caught:
        recover(place, well, undo=True)
    assert "recover --finish" in caught.value.remedy
    assert volume.swaps == []
    assert store.read()


def test_undoing_is_refused_where_nobody_can_be_asked_what_was_written(place, stack, well, store, volume, catalog):
    well.processes.on("coalesce(max(id), 0)", code=2)
    cut_off(stack, store, *CUT_OFF)
    with pytest.raises(StackLockedError, match="cannot be asked"):
        recover(place, well, undo=True)
    assert volume.swaps == []


def test_an_undo_that_was_begun_is_ended_and_the_rows_are_not_asked_about_again(
    place, stack, well, store, volume, catalog
):
    well.processes.on("coalesce(max(id), 0)", code=2)
    cut_off(stack, store, *CUT_OFF, Step("put-back", "t"), operation="undo-restore")
    assert recover(place, well, finish=True).ended
    assert volume.swaps == [FIRST]


UNPROVED = SERVED[:-1]
PLAIN = Step("storage", "t", {"indexes": {}, "high": COUNTS})
NO_INDEXES = tuple(PLAIN if each is STORAGE else each for each in (*SERVED, Step("new-chain", "t")))


def wrote(well):
    well.processes.on("coalesce(max(id), 0)", json.dumps({**COUNTS, "messages": 12}))


@pytest.mark.parametrize("cut", [-1, -2, -3], ids=["new-chain", "clean", "smoke"])
def test_undoing_is_refused_too_where_no_index_is_to_come_as_of_a_physical_set(
    place, stack, well, store, volume, catalog, cut
):
    wrote(well)
    cut_off(stack, store, *NO_INDEXES[: cut + 1 or None])
    with pytest.raises(StackLockedError, match=r"wrote to the restored data \(up to 3 messages\)") as caught:
        recover(place, well, undo=True)
    assert "recover --finish': it serves already" in caught.value.remedy
    assert volume.swaps == []
    assert store.read()
    assert recover(place, well, finish=True).ended
    assert volume.swaps == []


def test_undoing_asks_nobody_where_nothing_was_written_since(place, stack, well, store, volume, catalog):
    cut_off(stack, store, *NO_INDEXES)
    assert recover(place, well, undo=True).ended
    assert volume.swaps == [FIRST]


def test_the_rows_of_the_old_data_are_not_taken_for_rows_of_the_new(place, stack, well, store, volume, catalog):
    wrote(well)
    volume.current = FIRST
    cut_off(stack, store, *UNPROVED)
    assert recover(place, well, undo=True).ended


def test_before_the_database_was_started_nobody_is_asked(place, stack, well, store, volume, catalog):
    wrote(well)
    cut_off(stack, store, *SERVED[:-3])
    assert recover(place, well, undo=True).ended
    assert volume.swaps == [FIRST]


def test_a_new_cluster_that_was_not_proved_and_does_not_answer_is_put_back_and_that_is_said(
    place, stack, well, store, volume, catalog
):
    well.processes.on("coalesce(max(id), 0)", code=2)
    cut_off(stack, store, *UNPROVED)
    assert recover(place, well, undo=True).ended
    assert volume.swaps == [FIRST]
    assert any("could not be counted" in each for each in well.reporter.notes)


def test_a_journal_of_an_earlier_version_that_counted_nothing_is_undone_as_before(
    place, stack, well, store, volume, catalog
):
    wrote(well)
    before = Step("storage", "t", {"indexes": {}})
    cut_off(stack, store, *(before if each is PLAIN else each for each in NO_INDEXES))
    assert recover(place, well, undo=True).ended
