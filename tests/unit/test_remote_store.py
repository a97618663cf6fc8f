"""The bucket: listed to the end, read over breaks, sent in parts that go on, and each fault said as what it is."""

import io
import os

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from urllib3.exceptions import SSLError as URLLib3SSLError

from chatwoot_ops.adapters import remote_upload
from chatwoot_ops.adapters.remote_store import RemoteStore, client_of
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.remote import Remote
from fake_s3 import Body, FakeS3, failing, refusal

PART = 1000


@pytest.fixture
def s3(monkeypatch):
    monkeypatch.setattr(remote_upload, "part_size", lambda _: PART)
    return FakeS3()


@pytest.fixture
def store(s3):
    return RemoteStore(s3, "kgc")


@pytest.fixture
def big(tmp_path):
    (tmp_path / "big").write_bytes(os.urandom(3 * PART + 1))
    return tmp_path / "big"


def test_a_listing_goes_on_to_the_last_page(s3, store):
    s3.objects = {f"p/{number}": b"x" * number for number in range(7)} | {"pp/other": b"", "other": b""}
    s3.page = 2
    assert store.sizes("p") == {f"p/{number}": number for number in range(7)}
    assert len(store.sizes("")) == 9
    assert len(s3.did("list_objects_v2")) > 5


def test_an_object_is_read_on_over_a_broken_connection(s3, store):
    s3.objects["o"] = content = os.urandom(5000)
    s3.breaks = [100, 0, 700]
    assert b"".join(store.read("o")) == content
    assert [given.get("Range") for given in s3.did("get_object")] == [None, "bytes=100-", "bytes=100-", "bytes=800-"]


def test_a_broken_tls_record_is_a_broken_connection(s3, store, monkeypatch):
    s3.objects["o"] = b"x" * 5000
    broken = iter((URLLib3SSLError("bad record mac"),))

    def read(self, size=-1):
        for error in broken:
            raise error
        return io.BytesIO.read(self, size)

    monkeypatch.setattr(Body, "read", read)
    assert b"".join(store.read("o")) == b"x" * 5000


def test_a_connection_that_always_breaks_is_given_up(s3, store):
    s3.objects["o"] = b"x" * 5000
    s3.breaks = [10] * 99
    with pytest.raises(CommandFailedError, match="The remote failed at reading o: IncompleteReadError"):
        list(store.read("o"))
    assert len(s3.did("get_object")) == 4


def test_a_text_that_is_not_there_is_none(store):
    assert store.text("nothing") is None


def test_a_new_object_never_replaces_one_that_is_there(s3, store):
    s3.objects["o"] = b"theirs"
    store.put_new("o", "mine")
    assert s3.objects == {"o": b"theirs"}
    s3.fault("get_object", failing(refusal("NoSuchKey")))
    store.put_new("o", "mine")
    assert s3.objects == {"o": b"theirs"}


@pytest.mark.parametrize("code", ["NotImplemented", "InvalidArgument"])
def test_a_server_that_does_not_know_the_condition_is_written_to_without_it(s3, store, code):
    def unknown(given):
        if "IfNoneMatch" in given:
            raise refusal(code)

    s3.fault("put_object", unknown)
    store.put_new("o", "mine")
    assert s3.objects == {"o": b"mine"}


def test_any_other_refusal_of_a_new_object_is_a_failure(s3, store):
    s3.fault("put_object", failing(refusal("AccessDenied")))
    with pytest.raises(CommandFailedError, match="refused writing o: AccessDenied"):
        store.put_new("o", "mine")


def test_a_file_goes_out_in_parts_and_a_small_one_in_one(s3, store, big, tmp_path):
    assert store.send("big", big) == 3 * PART + 1
    assert s3.objects["big"] == big.read_bytes()
    assert [given["PartNumber"] for given in s3.did("upload_part")] == [1, 2, 3, 4]
    (tmp_path / "small").write_bytes(b"x")
    assert store.send("small", tmp_path / "small") == 1
    assert len(s3.did("create_multipart_upload")) == 1


def cut_off_after(s3, store, big, parts):
    def cut(given):
        if given["PartNumber"] > parts:
            raise EndpointConnectionError(endpoint_url="x")

    s3.fault("upload_part", cut)
    with pytest.raises(CommandFailedError):
        store.send("big", big)
    s3.faults.clear()
    s3.asked.clear()


@pytest.mark.parametrize("page", [1, 1000])
def test_an_upload_that_was_cut_off_goes_on_from_the_parts_that_are_there(s3, store, big, page):
    cut_off_after(s3, store, big, 2)
    s3.page = page
    assert store.send("big", big) == PART + 1
    assert [given["PartNumber"] for given in s3.did("upload_part")] == [3, 4]
    assert s3.objects["big"] == big.read_bytes()
    assert s3.uploads == {}


def test_a_part_whose_content_is_another_is_sent_again(s3, store, big):
    cut_off_after(s3, store, big, 2)
    s3.uploads["upload-0"]["parts"][1] = b"?" * PART
    assert store.send("big", big) == 2 * PART + 1
    assert s3.objects["big"] == big.read_bytes()


def test_an_upload_of_another_object_is_left_alone(s3, store, big):
    s3.create_multipart_upload(Bucket="kgc", Key="bigger")
    store.send("big", big)
    assert s3.objects["big"] == big.read_bytes()
    assert [each["Key"] for each in s3.uploads.values()] == ["bigger"]


def test_a_server_that_cannot_list_unfinished_uploads_gets_a_new_one(s3, store, big):
    cut_off_after(s3, store, big, 2)
    s3.fault("list_multipart_uploads", failing(refusal("NotImplemented")))
    assert store.send("big", big) == 3 * PART + 1


def test_unfinished_uploads_of_a_folder_are_ended_and_no_others(s3, store):
    for name in ("p/s/a", "p/s/b", "p/s2/c"):
        s3.create_multipart_upload(Bucket="kgc", Key=name)
    assert store.abandon_uploads("p/s") == 2
    assert [each["Key"] for each in s3.uploads.values()] == ["p/s2/c"]


def test_what_is_removed_goes_in_the_order_that_was_asked(s3, store):
    s3.objects = {"a": b"", "b": b"", "c": b""}
    store.remove(("b", "nothing", "a"))
    assert s3.objects == {"c": b""}
    assert [given["Key"] for given in s3.did("delete_object")] == ["b", "nothing", "a"]


FAULTS = {
    "gone": EndpointConnectionError(endpoint_url="https://s3.example/?X-Amz-Signature=1"),
    "slow": ReadTimeoutError(endpoint_url="https://s3.example"),
    "silent": ConnectTimeoutError(endpoint_url="https://s3.example"),
    "wrong key": refusal("InvalidAccessKeyId"),
    "no bucket": refusal("NoSuchBucket"),
    "full": refusal("InsufficientStorage", "no room"),
}
ACTS = {
    "list_objects_v2": lambda store, _: store.sizes("p"),
    "get_object": lambda store, _: list(store.read("o")),
    "put_object": lambda store, _: store.put("o", "x"),
    "upload_part": lambda store, path: store.send("o", path),
    "delete_object": lambda store, _: store.remove(["o"]),
    "list_multipart_uploads": lambda store, _: store.abandon_uploads("p"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("operation", ACTS)
def test_every_fault_of_every_request_is_said_with_what_to_do(s3, store, big, operation, fault):
    s3.objects["o"] = b"x"
    s3.fault(operation, failing(FAULTS[fault]))
    with pytest.raises(CommandFailedError, match=r"The remote (failed|refused)") as caught:
        ACTS[operation](store, big)
    assert caught.value.code == 20
    assert caught.value.remedy
    assert "Signature=" not in str(caught.value.details) + caught.value.message


def test_a_client_depends_on_the_settings_alone(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[default]\nregion = xx-1\nendpoint_url = http://elsewhere.example\n")
    elsewhere = {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_PROFILE": "none", "AWS_ACCESS_KEY_ID": "theirs"}
    for name, value in {**elsewhere, "AWS_ENDPOINT_URL_S3": "http://elsewhere.example"}.items():
        monkeypatch.setenv(name, value)
    near = client_of(Remote("kgc", "", "http://127.0.0.1:9", "", "mine", "SK"))
    assert (near.meta.endpoint_url, near.meta.region_name) == ("http://127.0.0.1:9", "us-east-1")
    assert near.meta.config.s3 == {"addressing_style": "path"}
    assert near.meta.config.request_checksum_calculation == "when_required"
    amazon = client_of(Remote("kgc", "", "", "eu-central-1", "mine", "SK"))
    assert amazon.meta.endpoint_url == "https://s3.eu-central-1.amazonaws.com"
    assert amazon._request_signer._credentials.access_key == "mine"
