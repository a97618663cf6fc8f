"""The continuous archive: switched on and off, watched, and its segments counted."""

import json
import re

import pytest

from chatwoot_ops.commands import compose, wal
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.settings import problems_of
from chatwoot_ops.model.stack import SERVICES, WAL
from chatwoot_ops.model.wal import missing, not_needed, parse_archive, position, segment_at
from chatwoot_ops.operations.doctor import doctor
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.preflight import preflight
from chatwoot_ops.operations.probes.services import services
from chatwoot_ops.operations.probes.wal import archive
from chatwoot_ops.operations.running import up
from chatwoot_ops.operations.smoke import smoke
from chatwoot_ops.operations.status import status
from chatwoot_ops.operations.swapping import start_rest
from chatwoot_ops.operations.wal import archive_line, read_chains
from fakes import shown
from sets import sealed_physical
from world import FOLDER, INSTANCE, ROOT, SLOT, archive_listing, container, containers, stack_in, wal_answer

OVERLAY = FOLDER / "docker-compose.wal.yml"


def stack_with(folder, mode, **values):
    return stack_in(folder, WAL_ARCHIVE=mode, CHATWOOT_INSTANCE_ID=INSTANCE, **values)


@pytest.fixture
def archiving(tmp_path):
    return stack_with(tmp_path, "async")


@pytest.fixture
def waiting(tmp_path):
    return stack_with(tmp_path, "sync")


@pytest.fixture
def archived(well):
    """A host whose stack archives and is well."""
    containers(well, *(container(service) for service in (*SERVICES, WAL)))
    well.processes.on("pg_stat_replication", wal_answer()).on("for chain in", archive_listing(1, 2, 3))
    return well


def seen(checks, name):
    return next(check for check in checks if check.name == name)


def test_without_an_archive_nothing_is_different(tmp_path, well):
    stack = stack_with(tmp_path, "off")
    assert [file.name for file in stack.compose_files] == ["docker-compose.yml"]
    assert (stack.services, stack.data_services) == (SERVICES, ("chatwoot-db", "chatwoot-redis"))
    assert up(stack, well).already
    starts = [line for line in well.processes.lines if line.startswith("compose up")]
    assert starts == ["compose up -d chatwoot-db chatwoot-redis", "compose up -d"]
    assert status(stack, well).archive == "off"
    assert [check.name for check in services(stack, well)] == list(SERVICES)
    assert not well.processes.ran_with("chatwoot-wal")


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_with_an_archive_every_compose_call_has_its_file_after_the_base(tmp_path, mode):
    stack = stack_with(tmp_path, mode)
    argv = compose.up(stack, "compose").argv
    files = [argv[index + 1] for index, part in enumerate(argv) if part == "-f"]
    assert files == [str(FOLDER / "docker-compose.yml"), str(OVERLAY)]
    assert stack.services == (*SERVICES, WAL)


def test_the_receiver_is_waited_for_before_anything_is_written_only_where_writes_would_wait_for_it(
    tmp_path, archiving, archived
):
    assert archiving.data_services == ("chatwoot-db", "chatwoot-redis")
    assert stack_with(tmp_path, "sync").data_services == ("chatwoot-db", "chatwoot-redis", WAL)
    assert up(archiving, archived).already
    assert "compose up -d chatwoot-db chatwoot-redis chatwoot-wal" in archived.processes.lines


def test_a_stack_whose_receiver_is_not_well_is_not_healthy(archiving, archived):
    assert status(archiving, archived).healthy
    containers(archived, *(container(name) for name in SERVICES), container(WAL, health="unhealthy"))
    assert not status(archiving, archived).healthy
    assert seen(services(archiving, archived), WAL).outcome == "fail"


def test_after_a_restore_the_receiver_is_started_too(archiving, archived):
    start_rest(archiving, archived)
    assert archived.processes.lines[0] == "compose up -d --no-deps chatwoot-rails chatwoot-sidekiq chatwoot-wal"


def test_the_receivers_memory_is_counted_only_where_it_runs(tmp_path, archiving, archived):
    archived.machine.ram = 4.6 * 1024**3
    assert seen(preflight(archiving, archived), "memory").outcome == "fail"
    assert seen(preflight(stack_with(tmp_path, "off"), archived), "memory").outcome == "pass"


def test_an_archive_that_is_switched_off_ends_its_receiver_before_the_database_and_drops_its_slot(tmp_path, archived):
    stack = stack_with(tmp_path, "off")
    archived.processes.on("docker stop", "").on("docker rm --force", "").on("pg_drop_replication_slot", "[1]")
    up(stack, archived)
    lines = archived.processes.lines
    stop = lines.index("docker stop --time 20 id-of-chatwoot-wal")
    assert lines[stop + 1] == "docker rm --force id-of-chatwoot-wal"
    started = lines.index("compose up -d chatwoot-db chatwoot-redis")
    dropped = next(n for n, each in enumerate(archived.processes.ran) if "pg_drop_rep" in (each.stdin or ""))
    assert stop < started < dropped
    assert archived.reporter.notes == ["1 replication slots of the WAL archive dropped; the archive itself is kept"]
    assert not archived.processes.ran_with("volume rm")


def test_a_running_archive_keeps_its_slot(archiving, archived):
    up(archiving, archived)
    assert not any("pg_drop_replication_slot" in (each.stdin or "") for each in archived.processes.ran)


def test_looks_do_not_wait_for_a_dead_receiver(archiving, archived):
    status(archiving, archived)
    asked = [each for each in archived.processes.ran if "psql -X" in shown(each) and each.stdin]
    assert asked
    assert all(each.stdin.startswith("SET synchronous_commit = local;\n") for each in asked)


def test_doctor_looks_at_the_archive(tmp_path, archived):
    stack = stack_with(tmp_path, "async")
    sealed_physical(stack.backup_folder)
    checks = doctor(Place(FOLDER, stack.env_file), archived)
    names = ("WAL archive", "WAL receiver", "WAL slot", "WAL chain")
    assert {name: seen(checks, name).outcome for name in names} == dict.fromkeys(names, "pass")
    archived.processes.on("pg_stat_replication", code=1)
    assert seen(doctor(Place(FOLDER, stack.env_file), archived), "WAL archive").seen.startswith("could not check")


def test_a_slot_that_was_left_behind_is_a_failure_and_none_is_not_configured(tmp_path, well):
    stack = stack_with(tmp_path, "off")
    assert [(check.outcome, check.seen) for check in archive(stack, well)] == [("not configured", "WAL_ARCHIVE is off")]
    well.processes.on("pg_stat_replication", wal_answer(slots=({"active": False, "held": 5 * 1024**2},), receivers=()))
    (check,) = archive(stack, well)
    assert (check.outcome, check.remedy) == ("fail", "Type 'invoke up' to drop it")
    assert f"{SLOT} (5.0 MB)" in check.seen


@pytest.mark.parametrize(
    ("answer", "name", "expected"),
    [
        (wal_answer(receivers=()), "WAL receiver", ("fail", "none is connected")),
        (wal_answer(receivers=({"silent": 31},)), "WAL receiver", ("fail", "has not answered for 31 s")),
        (wal_answer(synchronous=True, waiting=2, waited=11.0), "WAL receiver", ("fail", "2 writes WAIT for it, the ")),
        (wal_answer(synchronous=True, waiting=2, waited=9.0), "WAL receiver", ("pass", "streaming")),
        (wal_answer(receivers=({"behind": 300 * 1024**2},)), "WAL receiver", ("fail", "300.0 MB")),
        (
            wal_answer(receivers=({"behind": 2048, "seconds": 1.25},)),
            "WAL receiver",
            ("pass", "2.0 kB and 1.2 s behind"),
        ),
        (wal_answer(slots=()), "WAL slot", ("fail", "has none of ours")),
        (wal_answer(slots=({"status": "lost"},)), "WAL slot", ("fail", "lost")),
        (wal_answer(slots=({"status": "unreserved"},)), "WAL slot", ("warn", "unreserved")),
        (wal_answer(synchronous=True), "WAL archive", ("fail", "runs as sync, .env says async")),
        (wal_answer(cluster="another"), "WAL chain", ("fail", "none of the cluster that serves")),
        (wal_answer(system="8"), "WAL chain", ("fail", "none of the cluster that serves")),
    ],
)
def test_what_is_not_well_with_the_archive_is_seen(archiving, archived, answer, name, expected):
    outcome, words = expected
    archived.processes.on("pg_stat_replication", answer)
    check = seen(archive(archiving, archived), name)
    assert check.outcome == outcome
    assert words in check.seen
    assert outcome == "pass" or check.remedy


def test_writes_that_wait_are_counted_and_the_way_out_is_named(waiting, archived):
    archived.processes.on("pg_stat_replication", wal_answer(synchronous=True, waiting=4, waited=7.2, receivers=()))
    check = seen(archive(waiting, archived), "WAL receiver")
    assert check.seen == "none is connected; 4 writes WAIT for it, the longest for 7 s"
    assert "WAL_ARCHIVE=async" in check.remedy


def test_the_smoke_check_fails_while_a_write_is_not_answered_though_every_page_loads(waiting, archiving, archived):
    archived.processes.on("pg_stat_replication", wal_answer(synchronous=True, waiting=1))
    assert seen(smoke(waiting, archived, quick=True), "writes").outcome == "pass"
    archived.processes.on("pg_stat_replication", wal_answer(synchronous=True, waiting=1, waited=30.0))
    check = seen(smoke(waiting, archived, quick=True), "writes")
    assert check.outcome == "fail"
    assert check.seen.startswith("wait for the WAL receiver: has not answered")
    assert "1 writes WAIT for it, the longest for 30 s" in check.seen
    assert "writes" not in {each.name for each in smoke(archiving, archived, quick=True)}


def test_a_gap_in_the_chain_is_a_failure_that_names_the_first_missing_segment(archiving, archived):
    archived.processes.on("for chain in", archive_listing(1, 2, 5))
    check = seen(archive(archiving, archived), "WAL chain")
    assert check.outcome == "fail"
    assert "2 segments are missing, the first is 000000010000000000000003" in check.seen


def test_the_status_line_says_what_is_there_and_what_cannot_be_asked(archiving, archived):
    line = archive_line(archiving, archived)
    assert line == ("async, streaming, 0 B and 0.0 s behind; 48.0 MB in 1 chains, last written 2026-11-24T07:59:50")
    archived.processes.on("pg_stat_replication", wal_answer(receivers=()))
    assert "NO RECEIVER" in archive_line(archiving, archived)
    answer = wal_answer(synchronous=True, waiting=3, waited=12.0, slots=({"status": "lost"},), receivers=())
    archived.processes.on("pg_stat_replication", answer)
    line = archive_line(archiving, archived)
    assert f"NO RECEIVER; 3 writes WAIT for it, the longest for 12 s; slot {SLOT} is LOST; 48.0 MB" in line
    archived.processes.on("for chain in", code=1)
    assert "unknown" in archive_line(archiving, archived)


def test_an_archive_that_is_not_there_has_no_chain_and_is_not_made_by_looking(archiving, archived):
    archived.processes.on("docker volume inspect", code=1)
    assert read_chains(archiving, archived) == ()
    assert not archived.processes.ran_with("for chain in")


def test_a_folder_of_the_machine_is_mounted_in_place_of_the_volume(tmp_path, archived):
    stack = stack_with(tmp_path, "async", WAL_FOLDER="/srv/wal")
    assert len(read_chains(stack, archived)) == 1
    assert "/srv/wal:/volume:ro" in archived.processes.ran[-1].argv


def test_a_chain_whose_description_is_damaged_is_an_error(archiving, archived):
    archived.processes.on("for chain in", "chain=chatwoot_wal_x\nsystem=1\n")
    with pytest.raises(CommandFailedError, match="cannot be read"):
        read_chains(archiving, archived)


def test_positions_and_segments_follow_the_servers_names():
    (chain,) = parse_archive(archive_listing(1))
    assert position("16/B374D848") == 0x16B374D848
    assert segment_at(chain, "16/B374D848") == "0000000100000016000000B3"
    assert segment_at(chain, "0/1000028") == "000000010000000000000001"


def test_segments_are_counted_from_where_a_base_backup_starts():
    chain, later = parse_archive(
        archive_listing(3, 4, 6, name="chatwoot_wal_b") + archive_listing(1, name="chatwoot_wal_c")
    )
    assert chain.partial
    assert later.name == "chatwoot_wal_c"
    assert missing(chain) == ("000000010000000000000005",)
    assert missing(chain, "0/6000028") == ()
    assert missing(chain, "0/2000028") == ("000000010000000000000002", "000000010000000000000005")
    assert missing(chain, "0/7000028") == ("000000010000000000000007",)


def test_a_chain_without_segments_lacks_where_a_backup_starts():
    text = "\n".join(line for line in archive_listing(1).splitlines() if not line.startswith("file="))
    (chain,) = parse_archive(text)
    assert (missing(chain), chain.received) == ((), "")
    assert missing(chain, "0/3000028") == ("000000010000000000000003",)


def test_wal_is_needed_from_the_oldest_base_backup_on_and_all_of_it_where_there_is_none():
    (chain,) = parse_archive(archive_listing(1, 2, 3, 4))
    assert not_needed(chain, ()) == ()
    assert not_needed(chain, ("0/4000028", "0/3000028")) == ("000000010000000000000001", "000000010000000000000002")


@pytest.mark.parametrize(
    ("key", "value"), [("WAL_ARCHIVE", "on"), ("WAL_KEEP_SIZE", "2gb"), ("WAL_FOLDER", "wal"), ("WAL_FOLDER", "/a:b")]
)
def test_a_setting_of_the_archive_that_cannot_work_is_refused(tmp_path, key, value):
    stack = stack_in(tmp_path, **{key: value})
    assert any(line.startswith(f"{key}:") for line in problems_of(stack.settings, {key: value}))


def test_a_misspelled_setting_of_the_archive_is_found(tmp_path):
    stack = stack_in(tmp_path)
    assert any("WAL_ARCHIV" in line for line in problems_of(stack.settings, {"WAL_ARCHIV": "sync"}))


def test_the_archive_is_looked_into_without_a_network_and_the_receiver_stopped_in_its_own_time(archiving):
    look, stop = shown(wal.listing(archiving)), shown(wal.stop_receiver("a", "b"))
    assert look.startswith("docker run --rm -i --network none --user 0 --volume chatwoot-wal:/volume:ro ")
    assert stop == "docker stop --time 20 a b"
    assert not [value for value in archiving.settings.secrets().values() if value in look + stop]


def test_the_receiver_and_the_tasks_speak_of_the_same_slots():
    script = (FOLDER / "wal/receive.sh").read_text()
    assert re.search(r"^prefix=(.+)$", script, re.MULTILINE)[1] == "chatwoot_wal_"
    assert "synchronous_standby_names=chatwoot_wal " in (FOLDER / "database/start.sh").read_text()
    assert "PGAPPNAME: chatwoot_wal\n" in OVERLAY.read_text()
    assert json.loads(wal_answer())["slots"][0]["name"].startswith("chatwoot_wal_")


@pytest.mark.parametrize("page", ["docs/how-to/point-in-time.md", "docs/hu/how-to/point-in-time.md"])
def test_the_figures_of_the_kills_are_those_that_were_measured(page):
    sessions = json.loads((ROOT / "tests/stack/results/wal-kills.json").read_text())
    for mode in {each["mode"] for each in sessions}:
        own = [each for each in sessions if each["mode"] == mode]
        kills, rows, lost = (sum(each[name] for each in own) for name in ("kills", "acknowledged", "lost"))
        worst = max(each["worst"] for each in own)
        assert f"| `{mode}` | {kills} | {rows} | {lost} | {worst} |" in (ROOT / page).read_text(encoding="utf-8")
        assert mode == "async" or lost == 0
