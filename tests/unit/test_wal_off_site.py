"""The WAL off-site: finished segments only, each read back; fetched into the archive of an empty machine."""

import hashlib
import json
import shutil
import zlib
from dataclasses import replace

import pytest

from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import read_set
from chatwoot_ops.adapters.env_file import write_env_file
from chatwoot_ops.adapters.set_notes import mark_off_site, off_site_note
from chatwoot_ops.adapters.wal_note import WalNote
from chatwoot_ops.console.off_site import pushed, wal_pushed
from chatwoot_ops.errors import (
    BackupFailedError,
    BackupSetInvalidError,
    CommandFailedError,
    SettingsInvalidError,
    StackLockedError,
)
from chatwoot_ops.model import remote_wal
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.remote_wal import parse_list, to_json
from chatwoot_ops.operations import wal_push
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.nearing import brought_near, opened_near
from chatwoot_ops.operations.opening import open_with
from chatwoot_ops.operations.prune_remote import prune_remote
from chatwoot_ops.operations.pushing import push, push_archive
from chatwoot_ops.operations.pushing_all import push_all
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.remote import list_remote
from chatwoot_ops.operations.wal import _not_needed, read_chains
from fake_s3 import failing
from killed import KilledError
from off_site import REMOTE
from sets import CLUSTER, sealed, sealed_physical
from wal_world import FOLDER, SETTINGS, SIZE, Archive, brought, content, segment, set_in_segment_two, where
from world import INSTANCE, SLOT, place_in, stack_in

MOMENT = "2026-11-24 08:00:30+00"


@pytest.fixture
def values():
    return SETTINGS


@pytest.fixture
def base(stack):
    """A set that begins in segment 2."""
    return set_in_segment_two(stack)


@pytest.fixture
def archive(host):
    return Archive(host, 1, 2, 3, 4)


@pytest.fixture
def s3(host):
    return host.remotes.client


def there(s3):
    return sorted(name.removeprefix(f"{FOLDER}/") for name in s3.objects if name.startswith(FOLDER))


def listed(s3):
    return parse_list(s3.objects[f"{FOLDER}/segments.json"].decode(), SLOT)


def test_a_push_brings_the_finished_segments_since_its_set_and_says_what_is_left_out(stack, base, host, archive, s3):
    result = push(stack, host)
    assert there(s3) == [f"{segment(2)}.gz", f"{segment(3)}.gz", "segments.json"]
    assert (result.wal.segments, result.wal.until) == (2, "2026-11-24T07:59:52.500000+00:00")
    assert "What is written from now on is not." in pushed(result)[-2]
    assert listed(s3).chain.segments == (segment(2), segment(3))
    assert not list(stack.state_folder.glob("wal-going-*"))
    assert [each.manifest.name for each in list_remote(stack, host).sets] == [read_set(base).manifest.name]


def test_what_is_there_is_not_sent_again_and_what_was_finished_since_is_added(stack, base, host, archive, s3):
    push(stack, host)
    archive.files[SLOT, segment(5)] = content(5)
    archive.partial = segment(5)
    s3.asked.clear()
    assert push_archive(stack, host).segments == 1
    sent = [given["Key"].rpartition("/")[2] for given in s3.did("put_object")]
    assert sent == [f"{segment(4)}.gz", "segments.json"]
    assert push_archive(stack, host).segments == 0


def test_what_is_being_written_is_finished_first_so_that_a_quiet_day_is_off_site_too(stack, base, host, archive, s3):
    def finish(_):
        archive.files[SLOT, segment(5)] = content(5)
        archive.partial = segment(5)
        return Finished(0, json.dumps([segment(4)]), "")

    host.processes.on_call("pg_switch_wal", finish)
    push(stack, host)
    assert there(s3) == [f"{segment(number)}.gz" for number in (2, 3, 4)] + ["segments.json"]


def test_a_segment_that_never_reaches_the_archive_is_said_and_the_others_go(stack, base, host, archive, s3):
    host.processes.on("pg_switch_wal", json.dumps([segment(4)]))
    push(stack, host)
    assert there(s3) == [f"{segment(2)}.gz", f"{segment(3)}.gz", "segments.json"]
    assert f"The WAL segment {segment(4)} did not reach the archive. Type 'invoke doctor'." in host.reporter.notes


def test_where_the_database_does_not_answer_what_is_finished_goes_all_the_same(stack, base, host, archive, s3):
    host.processes.on("pg_switch_wal", code=1, stderr="the server is gone")
    push(stack, host)
    assert there(s3) == [f"{segment(2)}.gz", f"{segment(3)}.gz", "segments.json"]
    assert any("could not be finished" in note for note in host.reporter.notes)


def test_without_a_set_there_that_goes_on_with_it_no_wal_is_brought(stack, base, host, archive, s3):
    assert "no physical set there goes on with it" in wal_pushed(push_archive(stack, host))[0]
    assert there(s3) == []


def test_where_nothing_is_archived_there_is_none_to_bring_and_a_set_needs_no_engine(tmp_path, host, s3):
    off = stack_in(tmp_path, **{**SETTINGS, "WAL_ARCHIVE": "off"})
    sealed_physical(off.backup_folder)
    assert push(off, host).wal.until == ""
    assert host.processes.ran == []
    with pytest.raises(SettingsInvalidError, match="WAL_ARCHIVE is off"):
        push_archive(off, host)


def test_the_wal_of_whole_encrypted_sets_is_encrypted_to_the_same_keys(tmp_path, host, s3):
    public, _ = make_pair()
    stack = stack_in(tmp_path, **SETTINGS, BACKUP_ENCRYPT="all", BACKUP_RECIPIENTS=public)
    sealed_physical(stack.backup_folder, cluster=replace(CLUSTER, start_lsn="0/200028"))
    Archive(host, 1, 2, 3)
    push(stack, host)
    assert there(s3) == [f"{segment(2)}.gz.age", "segments.json"]
    assert s3.objects[f"{FOLDER}/{segment(2)}.gz.age"].startswith(b"age-encryption.org/v1")


@pytest.mark.parametrize("lie", ["kept another", "kept nothing"])
def test_a_server_that_lies_about_a_segment_is_found_and_the_segment_does_not_count(  # noqa: PLR0917 - fixtures
    stack, base, host, archive, s3, lie
):
    def tamper(given):
        if given["Key"].endswith(f"{segment(3)}.gz"):
            given |= {"Body": b"something else"} if lie == "kept another" else {"lost": True}

    s3.fault("put_object", tamper)
    with pytest.raises(BackupFailedError, match="The WAL is not off-site") as caught:
        push(stack, host)
    assert caught.value.code == 22
    assert "invoke push --wal" in caught.value.remedy
    assert "segments.json" not in there(s3)
    assert read_set(base).off_site
    s3.faults.clear()
    assert push_archive(stack, host).segments == 2


def test_a_list_that_is_not_what_was_written_is_found(stack, base, host, archive, s3):
    s3.fault("put_object", lambda given: given.update(Body=b"{}") if given["Key"].endswith("segments.json") else None)
    with pytest.raises(BackupFailedError, match=r"the list of the WAL of .* is not what was sent"):
        push(stack, host)


def test_a_segment_that_is_short_here_is_not_sent(stack, base, host, archive, s3):
    archive.files[SLOT, segment(2)] = "short"
    with pytest.raises(BackupFailedError, match="has 5 bytes, not 1048576"):
        push(stack, host)
    assert there(s3) == []


def test_a_remote_that_is_gone_is_said(stack, base, host, archive, s3):
    push(stack, host)
    s3.fault("get_object", failing(OSError("gone")))
    with pytest.raises(BackupFailedError, match="The WAL is not off-site: gone"):
        push_archive(stack, host)


def test_another_hosts_chain_of_the_same_name_is_not_touched(stack, base, host, archive, s3):
    push(stack, host)
    other = listed(s3)
    s3.objects[f"{FOLDER}/segments.json"] = to_json(replace(other, chain=replace(other.chain, system="1"))).encode()
    before = dict(s3.objects)
    with pytest.raises(BackupFailedError, match="Another chain of the name"):
        push_archive(stack, host)
    assert s3.objects == before


@pytest.mark.parametrize("way", ["finish", "undo"])
def test_a_push_killed_between_two_lists_is_ended_and_loses_no_segment(  # noqa: PLR0917 - fixtures
    tmp_path, stack, base, host, archive, s3, monkeypatch, way
):
    push(stack, host)
    monkeypatch.setattr(wal_push, "AT_ONCE", 1)
    for number in (5, 6):
        archive.files[SLOT, segment(number)] = content(number)
    archive.partial = segment(6)

    def kill(given):
        if given["Key"].endswith(f"{segment(5)}.gz"):
            raise KilledError

    s3.fault("put_object", kill)
    with pytest.raises(KilledError):
        push_archive(stack, host)
    s3.faults.clear()
    assert listed(s3).chain.segments[-1] == segment(4)
    with pytest.raises(StackLockedError):
        push_archive(stack, host)
    recover(place_in(tmp_path, **SETTINGS), host, **{way: True})
    assert store_of(stack, host).read() is None
    assert push_archive(stack, host).segments == (0 if way == "finish" else 1)
    assert not list(stack.state_folder.glob("wal-going-*"))


def test_a_push_that_was_cut_off_is_ended_also_where_the_archive_was_switched_off_since(  # noqa: PLR0917 - fixtures
    tmp_path, stack, base, host, archive, s3
):
    s3.fault("put_object", lambda _: (_ for _ in ()).throw(KilledError))
    mark_off_site(read_set(base), off_site_note("2026-11-24T08:00:00Z", f"s3://kgc/chatwoot/{INSTANCE}/{base.name}"))
    with pytest.raises(KilledError):
        push_archive(stack, host)
    recover(place_in(tmp_path, **{**SETTINGS, "WAL_ARCHIVE": "off"}), host, finish=True)
    assert store_of(stack, host).read() is None


def test_all_sets_bring_it_once_each_set_is_there(stack, base, host, archive):
    (only,) = push_all(stack, host).sets
    assert only.wal.segments == 2


def test_wal_that_is_not_off_site_yet_stays_in_the_archive_although_no_set_here_needs_it(stack, base, host, archive):
    push(stack, host)
    shutil.rmtree(base)
    sealed_physical(stack.backup_folder, cluster=replace(CLUSTER, start_lsn="0/600028"))
    for number in (5, 6, 7):
        archive.files[SLOT, segment(number)] = content(number)
    archive.partial = segment(7)
    (chain,) = read_chains(stack, host)
    # Segments 2 and 3 are there; 4 and 5 follow on them and are needed by the set that is there only.
    assert _not_needed(stack, chain) == (segment(1), segment(2), segment(3))
    assert push_archive(stack, host).segments == 3
    assert _not_needed(stack, chain) == tuple(map(segment, range(1, 6)))


@pytest.mark.parametrize("text", ["", "{", "[]", '{"remote": "s3://another/x", "chains": {"a": "b"}}', '{"chains": 7}'])
def test_a_note_of_another_remote_or_one_that_is_damaged_says_nothing(stack, text):
    stack.state_folder.mkdir()
    (stack.state_folder / "wal-off-site.json").write_text(text)
    assert WalNote(stack.state_folder, "s3://kgc/chatwoot").last() == {}


# ---- and back


@pytest.fixture
def nothing(tmp_path, stack, base, host, archive):
    """A machine that has settings and neither sets nor WAL, after all of it was brought off-site."""
    push(stack, host)
    (tmp_path / "there").mkdir()
    return place_in(tmp_path / "there", **SETTINGS), Archive(host)


def test_set_and_wal_are_in_place_on_an_empty_machine(nothing, host):
    place, archive = nothing
    path = brought(place, host, to="latest")
    assert read_set(open_with(place, host).backup_folder / path.rpartition("/")[2]).manifest.physical
    assert archive.files == {(SLOT, segment(number)): content(number) for number in (2, 3)}
    assert archive.there
    (made,) = [line for line in host.processes.lines if "volume create" in line]
    assert "com.docker.compose.volume=wal chatwoot-wal" in made
    assert "written=2026-11-24T07:59:52.500000+00:00" in "".join(host.processes.lines)
    assert not list(place.env_file.parent.glob("state/wal-*"))


def test_settings_of_a_time_before_there_was_a_remote_lead_there_all_the_same(nothing, host, tmp_path):
    place, archive = nothing
    way = tmp_path / "way.env"
    way.write_text("".join(f"{key}={value}\n" for key, value in REMOTE.items() if key.startswith("BACKUP_")))
    text = "\n".join(line for line in place.env_file.read_text().splitlines() if not line.startswith("BACKUP_REMOTE"))
    place.env_file.unlink()
    with brought_near(place, host, where(to="latest"), str(way)) as (near, settings):
        assert settings == ""
        # What the restore itself does with the settings of the set.
        write_env_file(place.env_file, text)
        assert not opened_near(place, host, near, None, "").settings["BACKUP_REMOTE"]
    assert archive.placed == [segment(2), segment(3)]


def test_what_is_in_the_archive_already_is_not_fetched_again(nothing, host, s3):
    place, archive = nothing
    brought(place, host, to="latest")
    s3.asked.clear()
    archive.placed.clear()
    brought(place, host, to="latest")
    assert archive.placed == []
    assert not [given for given in s3.did("get_object") if given["Key"].endswith(".gz")]


def test_without_a_moment_no_wal_is_fetched(nothing, host):
    place, archive = nothing
    brought(place, host)
    assert archive.files == {}


def test_a_moment_that_nothing_there_reaches_is_refused_with_what_can_be(nothing, host):
    place, archive = nothing
    with pytest.raises(BackupSetInvalidError, match="cannot be reached; what can be") as caught:
        brought(place, host, to="2027-01-01 00:00:00Z")
    assert "20261124T080000Z-physical: " in caught.value.details[0]
    assert archive.files == {}
    with pytest.raises(SettingsInvalidError, match="is no time"):
        brought(place, host, to="yesterday")


def test_a_set_that_is_named_is_the_only_one_asked(nothing, host):
    place, _ = nothing
    with pytest.raises(BackupSetInvalidError, match="There is no set another"):
        brought(place, host, to="latest", set="another")
    assert brought(place, host, to="latest", set="20261124T080000Z-physical").endswith("-physical")


def test_the_ledger_that_knows_the_upgrades_is_not_there(nothing, host):
    place, _ = nothing
    with pytest.raises(BackupSetInvalidError, match="The ledger knows no upgrade"):
        brought(place, host, before="last")


@pytest.mark.parametrize("damage", ["flipped", "short", "gone"])
def test_a_segment_that_is_damaged_there_gets_into_no_archive(nothing, host, s3, damage):
    place, archive = nothing
    name = f"{FOLDER}/{segment(3)}.gz"
    if damage == "gone":
        del s3.objects[name]
    else:
        found = bytearray(s3.objects[name])
        found[len(found) // 2] ^= 1
        s3.objects[name] = bytes(found) if damage == "flipped" else bytes(found[:-1])
    with pytest.raises((BackupSetInvalidError, CommandFailedError)):
        brought(place, host, to="latest")
    assert archive.placed == [segment(2)]
    assert not list(place.env_file.parent.glob("state/wal-*"))


@pytest.mark.parametrize("wrong", ["larger", "smaller", "not packed"])
def test_an_object_that_is_no_segment_is_refused_although_its_checksum_is_right(nothing, host, s3, wrong):
    place, archive = nothing
    found = listed(s3)
    if wrong == "not packed":
        bad = b"no gzip at all"
    else:
        bad = zlib.compress(b"x" * (SIZE + (1 if wrong == "larger" else -1)), wbits=31)
    first = found.there[0]
    sha = hashlib.sha256(bad).hexdigest()
    s3.objects[f"{FOLDER}/{first.object}"] = bad
    changed = (replace(first, size=len(bad), sha256=sha), *found.there[1:])
    s3.objects[f"{FOLDER}/segments.json"] = to_json(found.with_segments(changed)).encode()
    with pytest.raises(BackupSetInvalidError, match=r"bytes of WAL|cannot be unpacked"):
        brought(place, host, to="latest")
    assert archive.placed == []


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw["chain"].update(name="chatwoot_wal_x; rm -rf /"),
        lambda raw: raw["segments"][0].update(object="../../etc/passwd"),
        lambda raw: raw["segments"][0].update(written="yesterday"),
        lambda raw: raw["segments"][0].update(size="1"),
        lambda raw: raw["chain"].update(cluster="a\nb"),
        lambda raw: raw["chain"].update(system="x"),
        lambda raw: raw["chain"].update(segment_size=0),
        lambda raw: raw["chain"].update(timeline="1\n"),
        lambda raw: raw["chain"].update(lsn="nowhere"),
        lambda raw: raw.update(format=2),
        lambda raw: raw["segments"].append({"object": 1}),
        lambda raw: raw.update(segments=None),
    ],
    ids=(
        *("a name with a command", "a way out", "no time", "a size that is text", "a line break", "no system"),
        *("no segment size", "a timeline with a line break", "no position", "newer", "half a segment", "no segments"),
    ),
)
def test_a_list_that_is_damaged_or_forged_is_not_believed(stack, base, host, archive, s3, change):  # noqa: PLR0917
    push(stack, host)
    raw = json.loads(s3.objects[f"{FOLDER}/segments.json"])
    del raw["seal"]
    change(raw)
    forged = {**raw, "seal": remote_wal._seal(raw)}
    with pytest.raises(BackupSetInvalidError, match="is damaged"):
        parse_list(json.dumps(forged), SLOT)
    with pytest.raises(BackupSetInvalidError, match="is damaged"):
        parse_list(json.dumps({**raw, "seal": "0"}), SLOT)
    for text in ("", "[]", "7", "null"):
        with pytest.raises(BackupSetInvalidError, match="is damaged"):
            parse_list(text, SLOT)


def test_encrypted_wal_needs_its_key_and_comes_back_as_it_was(tmp_path, host):
    public, private = make_pair()
    values = {**SETTINGS, "BACKUP_ENCRYPT": "all", "BACKUP_RECIPIENTS": public}
    stack = stack_in(tmp_path, **values)
    sealed_physical(stack.backup_folder, cluster=replace(CLUSTER, start_lsn="0/200028"))
    Archive(host, 1, 2, 3)
    push(stack, host)
    (tmp_path / "there").mkdir()
    place, archive = place_in(tmp_path / "there", **values), Archive(host)
    with pytest.raises(BackupSetInvalidError, match="Nobody could be asked for the private key"):
        brought(place, host, to="latest")
    assert archive.files == {}
    (tmp_path / "identity").write_text(make_pair()[1])
    with pytest.raises(BackupSetInvalidError):
        brought(place, host, str(tmp_path / "identity"), to="latest")
    assert archive.placed == []
    (tmp_path / "identity").write_text(private)
    brought(place, host, str(tmp_path / "identity"), to="latest")
    assert archive.files == {(SLOT, segment(2)): content(2)}


@pytest.mark.parametrize("way", ["finish", "undo"])
def test_a_fetch_that_was_killed_is_ended_and_goes_on(nothing, host, s3, way):
    place, archive = nothing

    def kill(given):
        if given["Key"].endswith(f"{segment(3)}.gz"):
            raise KilledError

    s3.fault("get_object", kill)
    with pytest.raises(KilledError):
        brought(place, host, to="latest")
    s3.faults.clear()
    (place.env_file.parent / "state" / "wal-coming-x.partial").mkdir()
    recover(place, host, **{way: True})
    assert not list(place.env_file.parent.glob("state/wal-*"))
    archive.placed.clear()
    brought(place, host, to="latest")
    assert archive.placed == [segment(3)]


# ---- retention


def another(stack, start):
    return sealed_physical(stack.backup_folder, cluster=replace(CLUSTER, start_lsn=start))


def test_wal_that_no_copy_needs_goes_with_the_copies_and_the_rest_stays(stack, base, host, archive, s3):
    push(stack, host)
    newer = another(stack, "0/300028")
    push(stack, host)
    assert prune_remote(stack, host, yes=True).removed == (base.name,)
    assert there(s3) == [f"{segment(3)}.gz", "segments.json"]
    assert listed(s3).chain.segments == (segment(3),)
    assert "1 segments of WAL removed that no copy needs any more" in host.reporter.notes
    assert read_set(newer).off_site
    assert prune_remote(stack, host, yes=True).removed == ()


def test_a_chain_that_no_copy_goes_on_with_goes_whole(stack, base, host, archive, s3):
    push(stack, host)
    sealed_physical(stack.backup_folder, cluster=replace(CLUSTER, folder="restored"))
    push(stack, host)
    prune_remote(stack, host, yes=True)
    assert there(s3) == []


def test_the_newest_physical_copy_stays_while_the_wal_is_archived(stack, base, host, archive):
    push(stack, host)
    sealed(stack.backup_folder, stamp="20261124T090000Z")
    push(stack, host)
    assert prune_remote(stack, host, yes=True).removed == ()


def test_while_a_copy_cannot_be_read_no_wal_goes(stack, base, host, archive, s3):
    push(stack, host)
    another(stack, "0/300028")
    push(stack, host)
    s3.objects[f"chatwoot/{INSTANCE}/{base.name}/manifest.json"] = b"{}"
    prune_remote(stack, host, yes=True)
    assert f"{segment(2)}.gz" in there(s3)
