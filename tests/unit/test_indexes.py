"""Indexes that are built once the restored data serves: which those are, how they are built, and when that fails."""

import json
from dataclasses import replace

import pytest

from chatwoot_ops.errors import CommandFailedError, IndexesMissingError, InterruptedByOperatorError
from chatwoot_ops.model.indexes import Index, build_memory, concurrently, differences, lacking, plan, surplus
from chatwoot_ops.operations.changing import changing, store_of
from chatwoot_ops.operations.indexes import build, indexes_check
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.restore_settings import BEFORE_RESTORE
from chatwoot_ops.operations.status import status
from index_world import ALL, BTREE, LATE, MEANING, TEXT, UNIQUE, entry, listing, sections, well_indexes
from world import INSTALLED

YES = RestoreOptions(yes=True)
NAMES = [name.partition(".")[2] for name in ALL]


@pytest.fixture
def values():
    return INSTALLED


def late(*definitions, listed=NAMES, more=()):
    """What comes later of these indexes, each under a name of its own."""
    given = {f"public.{text.split(' ON ')[0].split()[-1]}": text for text in definitions}
    return plan(listing(*listed), sections(given, *more)).late


def test_indexes_of_trigrams_and_vectors_come_later_and_all_others_are_loaded():
    found = plan(listing(*NAMES), sections())
    assert found.late == LATE
    assert found.indexes == ALL
    changed = [line for line in found.use_list.splitlines() if line not in listing(*NAMES).splitlines()]
    assert changed == [line for line in (f";{each}" for each in listing(*NAMES).splitlines()) if line in changed]
    assert [line.split()[-2] for line in changed] == ["by_meaning", "by_text"]
    assert len(found.use_list.splitlines()) == len(listing(*NAMES).splitlines())


@pytest.mark.parametrize(
    "definition",
    [
        "CREATE INDEX by_text ON public.x USING gist (content public.gist_trgm_ops (siglen='32'))",
        "CREATE INDEX by_text ON public.x USING gin (lower((name)::text) other.gin_trgm_ops) WHERE (id > 3)",
        "CREATE INDEX by_text ON public.x USING ivfflat (embedding) WITH (lists='100')",
        "CREATE INDEX by_text ON public.x USING hnsw (embedding public.vector_cosine_ops)",
    ],
)
def test_each_kind_is_known_by_its_definition(definition):
    assert late(definition) == ("public.by_text",)


@pytest.mark.parametrize(
    "definition",
    [
        BTREE.replace("by_account", "by_text"),
        "CREATE UNIQUE INDEX by_text ON public.x USING gist (content public.gist_trgm_ops)",
        "CREATE INDEX by_text ON ONLY public.x USING gin (content public.gin_trgm_ops)",
        "CREATE INDEX by_text ON public.x USING gin (tags)",
        "CREATE INDEX by_text ON public.x USING gin (content public.gin_trgm_ops);\nALTER TABLE public.x CLUSTER ON y",
    ],
    ids=["btree", "unique", "of a parent", "no trigrams", "more than one statement"],
)
def test_what_is_no_plain_slow_index_is_loaded(definition):
    assert late(definition) == ()


@pytest.mark.parametrize(
    "other",
    [
        entry("INDEX by_text", "COMMENT ON INDEX public.by_text IS 'x';", "COMMENT"),
        entry("by_text", "ALTER INDEX public.y ATTACH PARTITION public.by_text;", "INDEX ATTACH"),
    ],
    ids=["a comment", "a parent"],
)
def test_an_index_that_another_entry_names_is_loaded(other):
    assert late(TEXT, more=(other,)) == ()


def test_an_index_whose_line_in_the_list_is_not_certain_is_loaded():
    assert late(TEXT, listed=("by_account",)) == late(TEXT, listed=("by_text", "by_text")) == ()
    assert plan(listing("by_account"), sections()).use_list == ""


def test_a_dump_that_tells_nothing_is_loaded_whole():
    assert (plan("", "").indexes, plan("", "").use_list) == ({}, "")


WHOLE = {name: Index(text, valid=True, identity=name) for name, text in ALL.items()}


@pytest.mark.parametrize(
    ("there", "line"),
    [
        ({**WHOLE, "public.by_text": replace(WHOLE["public.by_text"], valid=False)}, "public.by_text: is not whole"),
        ({**WHOLE, "public.by_text": replace(WHOLE["public.by_text"], definition=MEANING)}, "expected CREATE INDEX by"),
        ({name: each for name, each in WHOLE.items() if name != "public.by_token"}, "public.by_token: is missing"),
    ],
)
def test_an_index_that_is_not_the_dumps_is_named(there, line):
    (said,) = differences(ALL, there)
    assert line in said
    assert differences(ALL, WHOLE) == surplus(ALL, WHOLE) == []


def test_an_index_more_than_the_dump_has_is_named():
    more = {**WHOLE, "public.other": replace(WHOLE["public.by_text"], identity="public.other")}
    assert surplus(ALL, more) == ["index public.other: is there, and should not be"]
    assert surplus(ALL, WHOLE, late=LATE) == [f"index {name}: is there, and should not be" for name in LATE]
    assert lacking(ALL, {}) == tuple(ALL)


def test_a_build_never_blocks_writes():
    assert concurrently(TEXT) == TEXT.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY")
    assert concurrently(UNIQUE).startswith("CREATE UNIQUE INDEX CONCURRENTLY by_token ON")


@pytest.mark.parametrize(
    ("limit", "buffers", "megabytes"), [("1g", "256MB", 192), ("256m", "128MB", 64), ("8g", "2GB", 1024)]
)
def test_a_build_takes_a_quarter_of_the_memory_that_the_limit_leaves(limit, buffers, megabytes):
    assert build_memory(limit, buffers) == megabytes * 1024**2


@pytest.mark.usefixtures("volume")
def test_a_restore_serves_first_and_builds_the_rest_then(stack, well, source):
    catalog = well_indexes(well)
    result = restore(stack, well, source, YES)
    (loaded,) = well.processes.ran_with("--use-list=/tmp/use.list")
    assert ";21; 1259 301 INDEX public by_meaning" in loaded.stdin
    lines = well.processes.lines
    order = [
        next(n for n, line in enumerate(lines) if part in line)
        for part in ("--use-list", "mv -T current.new", "PGAPPNAME")
    ]
    assert order == sorted(order)
    assert set(catalog.there) == set(ALL)
    assert [line for line in catalog.sent if line.startswith("CREATE")] == [
        f"{concurrently(ALL[name])};" for name in LATE
    ]
    assert [note for note in result.notes if note.startswith("Built ")] == [
        f"Built {name} in 0.2 s while Chatwoot served" for name in LATE
    ]
    assert (
        "Chatwoot serves since 2026-11-24T08:00:00Z. Searching is slow until built: public.by_meaning, public.by_text"
        in (well.reporter.notes)
    )
    assert store_of(stack, well).read() is None
    assert not (stack.state_folder / BEFORE_RESTORE).exists()


@pytest.mark.usefixtures("volume")
def test_the_build_has_the_memory_of_the_limit_and_no_processor_but_its_own(stack, well, source):
    catalog = well_indexes(well)
    restore(stack, well, source, YES)
    settings = " ".join(catalog.sent)
    assert "maintenance_work_mem = '196608kB'" in settings
    assert "max_parallel_maintenance_workers = 0" in settings
    assert "synchronous_commit = local" in settings


def test_with_migrations_to_come_nothing_is_left_for_later(stack, well, volume, source):
    well_indexes(well, staged=tuple(ALL))
    restore(stack, well, source, replace(YES, migrate=True))
    assert not well.processes.ran_with("--use-list=")
    assert not well.processes.ran_with("PGAPPNAME")
    assert volume.swaps


@pytest.mark.parametrize("staged", [("public.by_account",), tuple(ALL)], ids=["one is missing", "too many"])
def test_a_new_cluster_whose_indexes_are_not_the_dumps_never_serves(stack, well, volume, source, staged):
    well_indexes(well, staged=staged)
    with pytest.raises(Exception, match="is not what the source promises") as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 26
    assert all("index public.by_" in line for line in caught.value.details)
    assert volume.swaps == []


def test_an_index_that_a_killed_run_left_half_built_is_dropped_first(stack, well, volume):
    catalog = well_indexes(well, "public.by_account", "public.by_token", "public.by_meaning", broken=["public.by_text"])
    assert [name for name, _ in build(stack, well, ALL)] == ["public.by_text"]
    assert [line for line in catalog.sent if "CONCURRENTLY" in line] == [
        "DROP INDEX CONCURRENTLY public.by_text;",
        f"{concurrently(TEXT)};",
    ]
    assert volume.swaps == []


@pytest.mark.usefixtures("volume")
def test_what_the_server_still_builds_of_a_killed_run_is_waited_for(stack, well):
    catalog = well_indexes(well)

    def ends():
        catalog.there = {name: [text, True, name] for name, text in ALL.items()}

    catalog.running = [["building index", 7]] * 150 + [ends]
    assert build(stack, well, ALL) == []
    assert well.reporter.notes == ["what an earlier run began: building index, 7 % after 20 s"]
    assert not [line for line in catalog.sent if "CONCURRENTLY" in line]


@pytest.mark.usefixtures("volume")
def test_a_build_that_fails_says_that_the_data_serves_and_keeps_the_journal(stack, well, source):
    catalog = well_indexes(well)
    catalog.fails = "public.by_text"
    with pytest.raises(IndexesMissingError) as caught:
        restore(stack, well, source, YES)
    assert caught.value.code == 27
    assert "invoke recover --finish" in caught.value.remedy
    journal = store_of(stack, well).read()
    assert (journal.opening.operation, journal.last_step) == ("restore", "build-indexes")
    assert (stack.state_folder / BEFORE_RESTORE).exists()
    assert json.loads(store_of(stack, well).ledger.read_text().splitlines()[-1])["outcome"] == "failed with 27"


@pytest.mark.parametrize("indexes", [True, False])
def test_from_the_moment_it_serves_only_the_journal_knows_what_is_to_come(stack, well, volume, source, indexes):
    if indexes:
        well_indexes(well)

    def interrupt(_):
        raise KeyboardInterrupt

    well.processes.on_call("find ./clusters", interrupt)
    with pytest.raises(InterruptedByOperatorError):
        restore(stack, well, source, YES)
    assert len(volume.swaps) == 1
    assert bool(store_of(stack, well).read()) is indexes


@pytest.mark.usefixtures("volume")
def test_indexes_that_are_not_the_dumps_in_the_end_fail_loudly(stack, well):
    catalog = well_indexes(well)
    catalog.there["public.by_account"][0] = "CREATE INDEX by_account ON public.messages USING btree (id)"
    with pytest.raises(IndexesMissingError) as caught:
        build(stack, well, ALL)
    (line,) = caught.value.details
    assert line.startswith(
        "index public.by_account: is CREATE INDEX by_account ON public.messages USING btree (id), exp"
    )


@pytest.mark.usefixtures("volume")
def test_ctrl_c_ends_the_build_in_the_server_and_keeps_the_journal(stack, well, source):
    catalog = well_indexes(well)

    def interrupt():
        raise KeyboardInterrupt

    catalog.running = [None, interrupt]
    with pytest.raises(InterruptedByOperatorError, match="restore") as caught:
        restore(stack, well, source, YES)
    assert "recover --finish" in caught.value.remedy
    assert [each for each in well.processes.ran if "pg_terminate_backend(pid)" in (each.stdin or "")]
    assert store_of(stack, well).read()


@pytest.mark.usefixtures("volume")
def test_status_and_doctor_name_what_is_missing_until_it_is_built(stack, well, source):
    catalog = well_indexes(well)
    catalog.fails = "public.by_text"
    with pytest.raises(IndexesMissingError):
        restore(stack, well, source, YES)
    assert status(stack, well).missing_indexes == ("public.by_text",)
    check = indexes_check(stack, well)
    assert (check.outcome.value, check.remedy) == ("fail", "Type 'invoke recover --finish'")
    with changing(stack, well, "restore", resume=store_of(stack, well).read()):
        assert indexes_check(stack, well).outcome.value == "warn"
    assert indexes_check(stack, well).outcome.value == "pass"
    assert status(stack, well).missing_indexes == ()


@pytest.mark.usefixtures("volume")
def test_where_the_database_does_not_answer_it_is_not_said_that_nothing_is_missing(stack, well, source):
    well_indexes(well).fails = "public.by_text"
    with pytest.raises(IndexesMissingError):
        restore(stack, well, source, YES)

    def fail(_):
        raise CommandFailedError("down")

    well.processes.on_call("pg_get_indexdef", fail)
    assert status(stack, well).missing_indexes == "unknown: the database cannot be asked"
    assert indexes_check(stack, well).seen == "could not check: down"
