"""Where off-site copies lie: the names of the objects, the names that are refused, and settings that are half there."""

import pytest

from chatwoot_ops.model.backup_set import Artifact
from chatwoot_ops.model.remote import (
    Remote,
    grouped,
    half_set_remote,
    part_size,
    readable,
    remote_of,
    unusable_endpoint,
)
from chatwoot_ops.model.setting_types import wrong_with
from chatwoot_ops.model.settings import problems_of, remote_problems
from world import stack_in

WHOLE = {"BACKUP_REMOTE": "s3://kgc/a/b", "BACKUP_REMOTE_ACCESS_KEY": "AK", "BACKUP_REMOTE_SECRET_KEY": "SK"}


def test_without_a_bucket_there_is_no_remote():
    assert remote_of({}) is None
    assert remote_of({"BACKUP_REMOTE": ""}) is None


@pytest.mark.parametrize(
    ("place", "bucket", "folder"),
    [("s3://kgc/a/b/", "kgc", "a/b/i/s"), ("s3://kgc", "kgc", "i/s"), ("s3://kgc/", "kgc", "i/s")],
)
def test_objects_are_named_by_prefix_instance_and_set(place, bucket, folder):
    remote = remote_of({**WHOLE, "BACKUP_REMOTE": place})
    assert (remote.bucket, remote.folder("i", "s")) == (bucket, folder)
    assert remote.url == place.rstrip("/")


def test_the_credentials_are_not_in_what_a_remote_shows_of_itself():
    shown = repr(remote_of({**WHOLE, "BACKUP_REMOTE_ACCESS_KEY": "AKIA", "BACKUP_REMOTE_SECRET_KEY": "s3cr3t"}))
    assert "AKIA" not in shown
    assert "s3cr3t" not in shown


def test_all_or_none_of_the_settings_is_no_problem():
    assert list(half_set_remote(WHOLE)) == list(half_set_remote({})) == []


@pytest.mark.parametrize("absent", sorted(WHOLE))
def test_a_half_set_remote_is_a_problem_that_names_what_is_missing_and_shows_no_value(tmp_path, absent):
    values = {key: value for key, value in WHOLE.items() if key != absent}
    (problem,) = half_set_remote(values)
    assert problem.startswith(f"{absent}: empty while ")
    assert "SK" not in problem.replace("_SK", "")
    stack = stack_in(tmp_path, **values)
    assert problem in problems_of(stack.settings, values)
    assert remote_problems(stack.settings) == (problem,)


def test_an_endpoint_alone_is_half_a_remote_too():
    assert len(list(half_set_remote({"BACKUP_REMOTE_ENDPOINT": "https://s3.example"}))) == 1


def test_credentials_in_the_address_are_refused():
    (problem,) = unusable_endpoint({**WHOLE, "BACKUP_REMOTE_ENDPOINT": "https://ada:pass@s3.example"})
    assert problem.startswith("BACKUP_REMOTE_ENDPOINT: holds a user name")
    assert "pass@" not in problem


@pytest.mark.parametrize("endpoint", ["redis://s3.example", "rediss://s3.example:1"])
def test_an_address_of_another_kind_is_a_problem(tmp_path, endpoint):
    values = {**WHOLE, "BACKUP_REMOTE_ENDPOINT": endpoint}
    assert "BACKUP_REMOTE_ENDPOINT: must begin with https:// or http://" in remote_problems(
        stack_in(tmp_path, **values).settings
    )


def test_what_is_no_address_at_all_is_said_once(tmp_path):
    settings = stack_in(tmp_path, **WHOLE, BACKUP_REMOTE_ENDPOINT="https://[x").settings
    assert len(remote_problems(settings)) == 1
    assert not list(unusable_endpoint(settings.values))


def test_other_problems_of_a_stack_do_not_keep_a_machine_from_its_copies(tmp_path):
    stack = stack_in(tmp_path, CHATWOOT_PORT="none", BACKUP_REMOTE="kgc", **dict(list(WHOLE.items())[1:]))
    assert [line.partition(":")[0] for line in remote_problems(stack.settings)] == ["BACKUP_REMOTE"]


@pytest.mark.parametrize(
    "value", ["kgc", "s3://", "s3://K", "https://kgc", "s3://kgc/..", "s3://kgc//a", "s3://kgc/a b"]
)
def test_what_is_no_bucket_is_said(value):
    assert wrong_with("bucket", value).startswith("must be a bucket")


@pytest.mark.parametrize("value", ["s3://kgc", "s3://kgc.backups/chatwoot", "s3://kgc/a/b-c/d_e.f"])
def test_buckets_with_and_without_a_prefix_are_taken(value):
    assert wrong_with("bucket", value) == ""


@pytest.mark.parametrize(
    ("endpoint", "clear"),
    [("", False), ("https://s3.example", False), ("http://127.0.0.1:9000", False), ("http://s3.example", True)],
)
def test_a_way_without_tls_to_another_machine_is_known(endpoint, clear):
    assert Remote("b", "", endpoint).in_clear is clear


@pytest.mark.parametrize("size", [0, 1, 16 * 1024**2, 10**9, 10**12, 5 * 1024**4])
def test_a_file_of_any_size_that_s3_takes_fits_into_ten_thousand_parts_of_five_megabytes_or_more(size):
    assert part_size(size) >= 5 * 1024**2
    assert -(-size // part_size(size)) <= 10_000


def test_a_small_file_is_one_part():
    assert part_size(1000) == 16 * 1024**2


def artifacts(*names):
    return [Artifact(name, 1, "") for name in names]


def test_what_the_owner_of_the_bucket_can_read_is_what_is_not_sealed():
    assert readable(artifacts("database.dump", "settings.env.age", "storage.tar.age", "storage.known")) == (
        "database.dump",
    )


def test_objects_are_grouped_by_instance_and_set_and_others_left_out():
    sizes = {"p/i/s/manifest.json": 5, "p/i/s/a/b": 7, "p/j/t/a": 1, "p/README": 3, "p/i/x": 1, "p/i//y": 1}
    whole, half = grouped("p", sizes)
    assert (whole.instance, whole.name, whole.sizes, whole.whole) == ("i", "s", {"manifest.json": 5, "a/b": 7}, True)
    assert (half.instance, half.whole) == ("j", False)
    assert [each.name for each in grouped("", {"i/s/a": 1})] == ["s"]
