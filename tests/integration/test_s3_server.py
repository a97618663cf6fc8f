"""Off-site copies on a real S3 server: there and back, cut off and taken up, flipped, refused, silent."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chatwoot_ops.adapters import lock
from chatwoot_ops.adapters.age import make_pair
from chatwoot_ops.adapters.backup_store import BackupStore, checksum_problems, read_set
from chatwoot_ops.adapters.env_file import with_values, write_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.remote_store import RemoteStore, client_of
from chatwoot_ops.errors import BackupFailedError, BackupSetInvalidError, CommandFailedError
from chatwoot_ops.model.backup_set import DATABASE_ARTIFACT, MANIFEST, STORAGE_ARTIFACT
from chatwoot_ops.model.check import Outcome
from chatwoot_ops.operations.off_site_checks import remote_checks
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.pulling import pull
from chatwoot_ops.operations.pushing import push
from chatwoot_ops.operations.remote import list_remote
from fakes import FakeClock, FakeProcesses
from fault_table import record
from s3_server import BUCKET, FULL, REPOSITORY, SECRET_KEY, Line, certificate, s3_server
from sets import CLUSTER, sealed, sealed_physical
from wal_world import Archive, brought, segment
from wal_world import content as wal_of
from world import FOLDER, INSTANCE, SLOT, place_in, stack_in

PART = 16 * 1024**2
LARGE = 3 * PART + 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("s3")
    with s3_server(folder, *certificate(folder)) as running:
        yield running


@pytest.fixture(autouse=True)
def _own_locks(monkeypatch, tmp_path_factory):
    monkeypatch.setattr(lock, "_FOLDERS", (tmp_path_factory.mktemp("locks"),))


class Remotes:
    """Buckets of which nobody waits long for an answer."""

    def open(self, remote, **_):
        return RemoteStore(client_of(remote, connect=1, silent=1, attempts=2), remote.bucket)


@pytest.fixture
def host():
    return Host(Path("no-compose"), remotes=Remotes())


@pytest.fixture
def values(server, request):
    """Settings that lead to a prefix of this test's own."""
    return {"CHATWOOT_INSTANCE_ID": INSTANCE, **server.settings(f"t{abs(hash(request.node.name))}")}


@pytest.fixture
def stack(tmp_path, values):
    return stack_in(tmp_path, **values)


@pytest.fixture
def prefix(values):
    return f"{values['BACKUP_REMOTE'].removeprefix(f's3://{BUCKET}/')}/{INSTANCE}"


def large_set(folder, size=LARGE, **changed):
    return sealed(folder, extra={"large": os.urandom(size)}, **changed)


def content(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.name != "off-site.json"}


def objects(server, prefix):
    return {name.rpartition("/")[2] for name in server.store().sizes(prefix)}


def test_a_set_comes_back_byte_for_byte_after_it_was_lost_here(stack, host):
    path = large_set(stack.backup_folder)
    before = content(path)
    assert push(stack, host).sent == read_set(path).size
    shutil.rmtree(path)
    result = pull(Place(FOLDER, stack.env_file), host)
    assert checksum_problems(result.set) == ()
    assert content(path) == before
    assert [each.off_site for each in list_remote(stack, host).sets] != [""]


@pytest.mark.parametrize("size", [1000, LARGE], ids=["one part", "several parts"])
def test_what_two_sets_share_goes_out_once_and_is_whole_in_both(stack, host, size):
    shared = {"storage-000001.tar": os.urandom(size)}
    folders = [sealed(stack.backup_folder, stamp=f"2026112{day}T080000Z", extra=shared) for day in (4, 5)]
    sent = [push(stack, host, folder.name).sent for folder in folders]
    assert sent[0] >= size
    # A server may refuse to copy what came in parts, or take longer than this host waits.
    assert sent[1] == 0 or size == LARGE
    before = content(folders[1])
    for folder in folders:
        shutil.rmtree(folder)
    assert checksum_problems(pull(Place(FOLDER, stack.env_file), host).set) == ()
    assert content(folders[1]) == before


def test_an_upload_that_broke_goes_on_from_the_parts_that_are_there(server, tmp_path, values, prefix, host):
    line = Line(server.port, carries=2 * PART + 5_000_000, then="break")
    stack = stack_in(tmp_path, **{**values, "BACKUP_REMOTE_ENDPOINT": line.endpoint})
    large_set(stack.backup_folder)
    with pytest.raises(BackupFailedError, match="is not off-site: The remote failed at sending"):
        push(stack, host)
    line.close()
    assert MANIFEST not in objects(server, prefix)
    stack = stack_in(tmp_path, **values)
    sent = push(stack, host).sent
    assert LARGE - 2 * PART <= sent <= LARGE - PART
    assert {"large", MANIFEST, "off-site.json"} <= objects(server, prefix)
    assert not server.store().client.list_multipart_uploads(Bucket=BUCKET, Prefix=f"{prefix}/").get("Uploads")


def test_a_push_killed_in_the_middle_is_finished_by_recover(server, tmp_path, values, prefix):
    line = Line(server.port, carries=2 * PART + 5_000_000, then="stall")
    place = place_in(
        tmp_path, **{**values, "BACKUP_REMOTE_ENDPOINT": line.endpoint, "COMPOSE_PROJECT_NAME": prefix[:9]}
    )
    large_set(tmp_path / "backups")
    env = {**os.environ, "CHATWOOT_ENV_FILE": str(place.env_file)}
    invoke = [str(Path(sys.executable).parent / "invoke")]
    began = subprocess.Popen([*invoke, "push"], env=env, cwd=REPOSITORY, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    assert line.stalled.wait(60)
    began.send_signal(signal.SIGKILL)
    began.communicate(timeout=30)
    line.close()
    write_env_file(place.env_file, with_values(place.env_file.read_text(), {"BACKUP_REMOTE_ENDPOINT": server.endpoint}))
    refused = subprocess.run([*invoke, "push"], env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert refused.returncode == 12
    ended = subprocess.run(
        [*invoke, "recover", "--finish", "--json"], env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout)["result"]["ended"]
    assert {"large", MANIFEST, "off-site.json"} <= objects(server, prefix)
    assert SECRET_KEY not in ended.stdout + ended.stderr + refused.stderr


def test_a_server_that_falls_silent_is_given_up_and_the_set_kept(server, tmp_path, values, host):
    line = Line(server.port, carries=2000, then="stall")
    stack = stack_in(tmp_path, **{**values, "BACKUP_REMOTE_ENDPOINT": line.endpoint})
    path = sealed(stack.backup_folder)
    with pytest.raises(BackupFailedError, match="ReadTimeoutError") as caught:
        push(stack, host)
    line.close()
    assert "invoke push" in caught.value.remedy
    assert read_set(path).off_site == ""


def test_a_server_that_is_not_there_is_said(server, tmp_path, values, host):
    stack = stack_in(tmp_path, **{**values, "BACKUP_REMOTE_ENDPOINT": "http://127.0.0.1:1"})
    sealed(stack.backup_folder)
    with pytest.raises(BackupFailedError, match="EndpointConnectionError"):
        push(stack, host)


def test_a_wrong_secret_key_is_said_and_not_shown(server, tmp_path, values, host):
    stack = stack_in(tmp_path, **{**values, "BACKUP_REMOTE_SECRET_KEY": "notthesecretkey1234567"})
    sealed(stack.backup_folder)
    with pytest.raises(BackupFailedError, match="SignatureDoesNotMatch") as caught:
        push(stack, host)
    assert "BACKUP_REMOTE_SECRET_KEY" in caught.value.remedy
    assert "notthesecretkey" not in f"{caught.value.message}{caught.value.details}{caught.value.remedy}"


def test_a_bucket_that_is_not_there_is_said(server, tmp_path, values, host):
    stack = stack_in(tmp_path, **{**values, "BACKUP_REMOTE": "s3://not-there/x"})
    with pytest.raises(CommandFailedError, match="NoSuchBucket") as caught:
        list_remote(stack, host)
    assert "Make the bucket" in caught.value.remedy


def flip(server, prefix, name):
    store = server.store()
    (key,) = (each for each in store.sizes(prefix) if each.endswith(f"/{name}"))
    found = bytearray(b"".join(store.read(key)))
    found[len(found) // 2] ^= 1
    store.client.put_object(Bucket=BUCKET, Key=key, Body=bytes(found))


@pytest.mark.parametrize("name", [DATABASE_ARTIFACT, STORAGE_ARTIFACT, MANIFEST])
def test_an_object_flipped_at_the_server_is_found_by_a_pull_and_mended_by_a_push(server, stack, prefix, host, name):
    path = sealed(stack.backup_folder)
    push(stack, host)
    flip(server, prefix, name)
    kept = path.rename(stack.env_file.parent / "kept")
    place = Place(FOLDER, stack.env_file)
    with pytest.raises(BackupSetInvalidError, match="damaged"):
        pull(place, host)
    assert not path.exists()
    BackupStore(stack.backup_folder).drop_partials()
    kept.rename(path)
    push(stack, host)
    shutil.rmtree(path)
    assert checksum_problems(pull(place, host).set) == ()


@pytest.fixture
def twin(tmp_path, values):
    """Another host with the same settings."""
    (tmp_path / "twin").mkdir()
    return stack_in(tmp_path / "twin", **values)


def test_two_hosts_with_one_name_do_not_overwrite_each_other(server, stack, twin, prefix, host):
    sealed(stack.backup_folder)
    push(stack, host)
    before = {name: b"".join(server.store().read(name)) for name in server.store().sizes(prefix)}
    sealed(twin.backup_folder, note="of the other host")
    with pytest.raises(BackupSetInvalidError, match="Another set of the name"):
        push(twin, host)
    assert {name: b"".join(server.store().read(name)) for name in server.store().sizes(prefix)} == before


class Blind(RemoteStore):
    """Looks before it writes, and never sees anything."""

    def text(self, _):
        return None


def test_the_server_itself_refuses_a_second_object_of_a_name(server):
    server.store().put_new("only-once", "first")
    Blind(server.store().client, BUCKET).put_new("only-once", "second")
    assert server.store().text("only-once") == "first"


def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(server, tmp_path, values, host, monkeypatch):
    secure = f"https://127.0.0.1:{server.tls_port}"
    stack = stack_in(tmp_path, **{**values, "BACKUP_REMOTE_ENDPOINT": secure})
    sealed(stack.backup_folder)
    with pytest.raises(BackupFailedError, match="SSLError"):
        push(stack, host)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(server.folder / "cert.pem"))
    assert push(stack, host).remote.startswith("s3://")


KILLS = [
    *(("push", step, way) for step in ("check", "send", "read-back", "publish", "mark") for way in ("finish", "undo")),
    *(("pull", step, way) for step in ("find", "fetch", "seal") for way in ("finish", "undo")),
]
SAMPLE = {("push", "publish", "finish"), ("pull", "fetch", "undo")}


@dataclass
class Machine:
    """A machine with one set, which is off-site too and gone here when `pull` is to be tried."""

    place: Place
    path: Path

    def run(self, *argv):
        env = {**os.environ, "CHATWOOT_ENV_FILE": str(self.place.env_file)}
        return subprocess.run([*map(str, argv)], env=env, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    def invoke(self, *task, code=0):
        done = self.run(Path(sys.executable).parent / "invoke", *task)
        assert done.returncode == code, done.stdout + done.stderr
        return done


@pytest.fixture
def machine(tmp_path, values, prefix):
    place = place_in(tmp_path, **values, COMPOSE_PROJECT_NAME=prefix[:9])
    return Machine(place, sealed(tmp_path / "backups"))


@pytest.mark.parametrize(
    ("task", "step", "way"), [pytest.param(*each, marks=() if each in SAMPLE else pytest.mark.matrix) for each in KILLS]
)
def test_a_kill_at_any_step_leaves_what_recover_ends_and_no_half_of_a_set(machine, task, step, way):
    before = content(machine.path)
    if task == "pull":
        machine.invoke("push")
        shutil.rmtree(machine.path)
    killed = machine.run(sys.executable, REPOSITORY / "tests/stack/kill_at.py", step, task)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    machine.invoke(task, code=12)
    machine.invoke("recover", f"--{way}")
    assert machine.path.exists() == (task == "push" or way == "finish")
    machine.invoke(task)
    assert content(machine.path) == before
    shutil.rmtree(machine.path)
    machine.invoke("pull")
    assert content(machine.path) == before


@pytest.mark.matrix
def test_a_server_whose_disk_is_full_is_said_and_the_set_kept(tmp_path):
    class Patient:
        """The server itself waits half a minute before it says so."""

        def open(self, remote, **_):
            return RemoteStore(client_of(remote, attempts=1), remote.bucket)

    (tmp_path / "s3").mkdir()
    with s3_server(tmp_path / "s3", FULL) as full:
        stack = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, **full.settings())
        path = sealed(stack.backup_folder)
        with pytest.raises(BackupFailedError, match="InternalError") as caught:
            push(stack, Host(Path("no-compose"), remotes=Patient()))
    assert "its disk may be full" in caught.value.remedy
    assert checksum_problems(read_set(path)) == ()
    record("disk full", "at the remote", "push")


def test_no_task_shows_a_credential(machine, values):
    done = [machine.invoke(*task) for task in (["push"], ["backups", "--remote"], ["pull", "--json"])]
    said = "".join(each.stdout + each.stderr for each in done)
    said += (machine.place.env_file.parent / "state" / "ledger.jsonl").read_text()
    assert "Off-site in" in said
    assert not [value for value in (SECRET_KEY, values["BACKUP_REMOTE_ACCESS_KEY"]) if value in said]


def asked(values, tmp_path, **changed):
    """What doctor says of the remote, and in how many seconds, with the limits that it really has."""
    stack, began = stack_in(tmp_path, **{**values, **changed}), time.monotonic()
    (found,) = remote_checks(stack, Host(Path("no-compose")))
    return found, time.monotonic() - began


def test_doctor_sees_a_copy_at_the_server_and_each_way_in_which_it_cannot(server, tmp_path, stack, values, host):
    assert asked(values, tmp_path)[0].outcome is Outcome.WARN
    sealed(stack.backup_folder)
    push(stack, host)
    assert asked(values, tmp_path)[0].outcome is Outcome.PASS
    line = Line(server.port, carries=0, then="stall")
    wrong = {
        "ReadTimeoutError": {"BACKUP_REMOTE_ENDPOINT": line.endpoint},
        "EndpointConnectionError": {"BACKUP_REMOTE_ENDPOINT": "http://127.0.0.1:1"},
        "SignatureDoesNotMatch": {"BACKUP_REMOTE_SECRET_KEY": "notthesecretkey1234567"},
        "InvalidAccessKeyId": {"BACKUP_REMOTE_ACCESS_KEY": "AKIDSOMEBODYELSE"},
        "NoSuchBucket": {"BACKUP_REMOTE": "s3://not-there/x"},
    }
    for error, changed in wrong.items():
        found, seconds = asked(values, tmp_path, **changed)
        assert (found.outcome, seconds < 10) == (Outcome.FAIL, True)
        assert error in found.seen
    line.close()


def test_wal_goes_there_and_comes_back_encrypted_and_a_flipped_segment_gets_into_no_archive(
    server, tmp_path, values, prefix, host
):
    public, private = make_pair()
    (tmp_path / "identity").write_text(private)
    given = {**values, "WAL_ARCHIVE": "async", "BACKUP_ENCRYPT": "all", "BACKUP_RECIPIENTS": public}
    here, far = (replace(host, processes=FakeProcesses(), clock=FakeClock()) for _ in range(2))
    stack = stack_in(tmp_path, **given)
    sealed_physical(stack.backup_folder, cluster=replace(CLUSTER, start_lsn="0/200028"))
    Archive(here, 2, 3, 4)
    assert push(stack, here).wal.segments == 2
    (tmp_path / "far").mkdir()
    place, archive = place_in(tmp_path / "far", **given), Archive(far)
    assert brought(place, far, str(tmp_path / "identity"), to="latest").endswith("-physical")
    assert archive.files == {(SLOT, segment(number)): wal_of(number) for number in (2, 3)}
    flip(server, prefix, f"{segment(3)}.gz.age")
    archive.files.clear()
    with pytest.raises(BackupSetInvalidError, match=r"The WAL of .* at the remote is damaged"):
        brought(place, far, str(tmp_path / "identity"), to="latest")
    assert archive.placed == [segment(2), segment(3), segment(2)]
