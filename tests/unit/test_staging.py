"""The new cluster beside the old: which dumps are taken, what of plain SQL is left out, and what is read back."""

import gzip
import json
from dataclasses import replace

import pytest

from chatwoot_ops.errors import BackupSetInvalidError, CommandFailedError
from chatwoot_ops.operations.digests import read_digest
from chatwoot_ops.operations.plain_sql import plain_sql
from chatwoot_ops.operations.staging import form_of, load, read_staged, start_cluster
from fakes import SPOKEN
from keeping import well_keeping
from sets import BLOBS, DATA, digest_lines

HEAD = b"--\n-- PostgreSQL database dump\n--\n"
TAIL = b"--\n-- PostgreSQL database dump complete\n--\n\n"
OWNED = b"ALTER TABLE public.users OWNER TO somebody;\n"
ROWS = (
    b"COPY public.messages (id, content) FROM stdin;\n"
    b"1\tGRANT me a wish\n"
    b"GRANT ALL ON x TO y;\n"
    b"ALTER TABLE public.users OWNER TO somebody;\n"
    b"SET transaction_timeout = 0;\n"
    b"COPY public.x FROM stdin;\n"
    b"\\.\n"
)


@pytest.fixture
def dump(tmp_path):
    def write(content, name="x.dump"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


@pytest.fixture
def keeping(well):
    well_keeping(well)
    return well


@pytest.mark.parametrize(
    ("content", "form"),
    [
        (b"PGDMP\x01\x0e", "custom"),
        (gzip.compress(b"PGDMP\x01", mtime=0), "custom"),
        (HEAD, "plain"),
        (gzip.compress(HEAD, mtime=0), "plain"),
        (b"CREATE TABLE x ();\n", "plain"),
    ],
)
def test_a_dump_is_known_by_its_first_bytes(dump, content, form):
    assert form_of(dump(content)) == form


def test_a_folder_is_a_dump_when_it_has_a_table_of_contents(tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(BackupSetInvalidError, match=r"without toc\.dat"):
        form_of(tmp_path / "d")
    (tmp_path / "d/toc.dat").touch()
    assert form_of(tmp_path / "d") == "directory"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no dump that can be read"),
        (b"hello\n", "no dump that can be read"),
        (gzip.compress(HEAD * 100, mtime=0)[:-12], "damaged or cut off"),
        (b"\x1f\x8bnonsense", "damaged or cut off"),
    ],
)
def test_what_is_no_dump_is_refused(dump, content, says):
    with pytest.raises(BackupSetInvalidError, match=says) as caught:
        form_of(dump(content))
    assert caught.value.code == 13


def test_owners_grants_and_unknown_settings_are_left_out_of_plain_sql():
    text = HEAD + OWNED + b"GRANT ALL ON x TO y;\nREVOKE ALL ON x FROM y;\nSET transaction_timeout = 0;\nSELECT 1;\n"
    assert b"".join(plain_sql([text + TAIL])) == HEAD + b"SELECT 1;\n" + TAIL


def test_rows_pass_untouched_whatever_they_look_like():
    assert b"".join(plain_sql([OWNED + ROWS + OWNED])) == ROWS


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50])
def test_it_does_not_matter_where_the_chunks_end(size):
    text = HEAD + OWNED + ROWS + OWNED + b"SELECT 1;\n" + TAIL + OWNED.rstrip()
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    assert b"".join(plain_sql(chunks)) == HEAD + ROWS + b"SELECT 1;\n" + TAIL


def test_sql_that_is_cut_off_anywhere_is_refused_although_psql_would_take_it():
    text = HEAD + ROWS + b"SELECT 1;\n" + TAIL
    for end in range(len(HEAD), text.index(b" complete")):
        with pytest.raises(BackupSetInvalidError, match="cut off"):
            list(plain_sql([text[:end]]))


def test_rows_that_end_like_a_dump_do_not_make_it_complete():
    text = HEAD + ROWS.replace(b"\\.\n", TAIL)
    with pytest.raises(BackupSetInvalidError, match="cut off"):
        list(plain_sql([text]))


def test_a_last_line_without_an_end_is_kept():
    assert b"".join(plain_sql([b"SELECT 1"])) == b"SELECT 1"
    assert b"".join(plain_sql([])) == b""


@pytest.mark.parametrize(("content", "tool"), [(b"PGDMP", "pg_restore --jobs 2"), (HEAD + OWNED + TAIL, SPOKEN)])
def test_each_form_is_loaded_by_its_own_tool_and_then_given_to_chatwoots_role(stack, keeping, dump, content, tool):
    load(stack, keeping, "op1", dump(content))
    engine = keeping.processes
    assert bool(engine.ran_with("pg_restore --jobs 2")) is tool.startswith("pg_restore")
    assert "OWNER TO somebody" not in "".join(command.stdin or "" for command in engine.ran)
    assert engine.ran[-2].stdin.startswith("\\set role 'chatwoot'")
    assert engine.ran[-1].stdin == "ANALYZE;"


def test_a_gzipped_custom_dump_is_fed_unpacked_to_pg_restore(stack, keeping, dump):
    keeping.processes.on("docker exec -i chatwoot-restore-op1 pg_restore", "")
    load(stack, keeping, "op1", dump(gzip.compress(b"PGDMP and more")))
    assert keeping.processes.ran[0].stdin == "PGDMP and more"
    assert not keeping.processes.ran_with("--jobs")


def test_gzipped_sql_is_fed_unpacked(stack, keeping, dump):
    load(stack, keeping, "op1", dump(gzip.compress(HEAD + ROWS + TAIL)))
    assert keeping.processes.ran[0].stdin == (HEAD + ROWS + TAIL).decode()


def test_a_gzipped_custom_dump_is_fed_unpacked_since_pg_restore_reads_no_gzip(stack, keeping, dump):
    load(stack, keeping, "op1", dump(gzip.compress(b"PGDMP rows")))
    assert keeping.processes.ran[0].stdin == "PGDMP rows"
    assert "pg_restore" in keeping.processes.ran[0].argv
    assert "--jobs" not in keeping.processes.ran[0].argv


def test_sql_that_is_cut_off_is_refused(stack, keeping, dump):
    with pytest.raises(BackupSetInvalidError, match="cut off"):
        load(stack, keeping, "op1", dump(gzip.compress(HEAD + ROWS * 100, mtime=0)[:-9]))


def test_the_new_cluster_is_waited_for_and_given_up_after_three_minutes(stack, keeping, tmp_path):
    start_cluster(stack, keeping, "op1", "new", tmp_path)
    keeping.processes.on("docker exec -i chatwoot-restore-op1", code=2).on("docker logs", "")
    with pytest.raises(CommandFailedError, match="did not start"):
        start_cluster(stack, keeping, "op1", "new", tmp_path)
    assert keeping.clock.passed == pytest.approx(180, abs=1)


def test_a_new_cluster_whose_container_ended_is_given_up_at_once_with_its_last_words(stack, keeping, tmp_path):
    keeping.processes.on("docker exec -i chatwoot-restore-op1", code=1, stderr="Container 1a2b is not running")
    keeping.processes.on("docker logs", "initdb: No space left on device")
    with pytest.raises(CommandFailedError) as raised:
        start_cluster(stack, keeping, "op1", "new", tmp_path)
    assert raised.value.details == ("initdb: No space left on device",)
    assert keeping.clock.passed == 0


def test_all_of_the_new_cluster_is_read_in_one_session(stack, well):
    sample = ["webhooks.secret", '{"p":"x","h":{"iv":"y"}}']
    well_keeping(well, samples=[sample])
    staged = read_staged(stack, well, "op1")
    assert (staged.blobs, staged.samples) == (BLOBS, [tuple(sample)])
    assert staged.data.tables == DATA.tables
    assert well.processes.sessions[0].closed


def test_a_session_that_ends_too_early_is_an_error(stack, keeping):
    keeping.processes.on(SPOKEN, json.dumps(["key", 1, "x"]))
    with pytest.raises(CommandFailedError, match="it ended too early"):
        read_staged(stack, keeping, "op1")


@pytest.mark.parametrize("count", [0, 3])
def test_tables_of_another_owner_are_counted_once_a_dump_is_loaded(stack, keeping, tmp_path, count):
    dump = tmp_path / "x.dump"
    dump.write_bytes(b"PGDMP")
    keeping.processes.on("r.rolname <>", f"[{count}]\n")
    assert load(stack, keeping, "op1", dump) == count


def test_a_digest_is_read_to_its_end_and_whatever_is_no_answer_is_passed_over():
    lines = iter(["SET", *digest_lines(), "not read"])
    found = read_digest(lambda: next(lines))
    assert replace(found, sequences=DATA.sequences) == DATA
    assert next(lines) == "not read"


def test_a_sequence_that_nobody_moves_has_one_value():
    lines = iter(digest_lines())
    assert read_digest(lambda: next(lines)).sequences == {"public.messages_id_seq": (260, 260)}


def test_a_database_without_messages_has_no_newest_one():
    lines = iter([line.replace(f'"{DATA.newest_message}"', "null") for line in digest_lines()])
    assert read_digest(lambda: next(lines)).newest_message == ""
