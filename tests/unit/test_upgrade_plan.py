"""What an upgrade would do: the target is an image and a version before anything happens, or it is refused."""

import json

import pytest

from chatwoot_ops.errors import PreflightFailedError, ReleaseRefusedError
from chatwoot_ops.operations.upgrade_plan import plan_upgrade, target_image
from fakes import GIGABYTE
from sets import sealed
from world import DIGEST, INSTANCE, VERSIONS, database_answer, image, stack_in

OLD = {"CHATWOOT_INSTANCE_ID": INSTANCE, "CHATWOOT_RELEASE": "v4.14.2-ce"}


@pytest.fixture
def values():
    return {**OLD, "CHATWOOT_IMAGE": f"chatwoot/chatwoot:v4.14.2-ce@{DIGEST}"}


@pytest.mark.parametrize(
    ("to", "meant"),
    [
        ("", "chatwoot/chatwoot:latest-ce"),
        ("latest-ce", "chatwoot/chatwoot:latest-ce"),
        ("v4.15.1-ce", "chatwoot/chatwoot:v4.15.1-ce"),
        ("4.15.1", "chatwoot/chatwoot:v4.15.1-ce"),
        ("mirror.example/chatwoot:v4.15.1-ce", "mirror.example/chatwoot:v4.15.1-ce"),
        (f"mirror.example/chatwoot@{DIGEST}", f"mirror.example/chatwoot@{DIGEST}"),
    ],
)
def test_a_release_is_one_of_the_repository_in_use_and_a_whole_image_is_itself(stack, well, to, meant):
    assert target_image(stack, well, to) == meant


def test_the_repository_of_a_bare_id_is_the_one_its_image_is_tagged_with(tmp_path, well):
    tagged = json.dumps({**json.loads(image()), "RepoTags": ["kept/chatwoot:v4.14.2-ce"]})
    well.processes.on("docker image inspect", tagged)
    assert target_image(stack_in(tmp_path, **OLD, CHATWOOT_IMAGE="sha256:" + "a" * 64), well, "4.15.1") == (
        "kept/chatwoot:v4.15.1-ce"
    )


@pytest.mark.parametrize("to", ["v4.15.1", "latest", "mirror.example/chatwoot:v4.15.1", "ee", "v4.15.1-ee"])
def test_an_enterprise_tag_is_refused_before_anything_is_pulled(stack, well, to):
    with pytest.raises(ReleaseRefusedError, match="no Community Edition") as caught:
        plan_upgrade(stack, well, to)
    assert caught.value.code == 15
    assert not well.processes.ran_with("docker pull")


def test_an_enterprise_image_under_a_community_tag_is_refused(stack, well):
    well.processes.on("docker image inspect", image(env=["CW_EDITION=ee"]))
    with pytest.raises(ReleaseRefusedError, match="not Chatwoot's Community Edition"):
        plan_upgrade(stack, well, "4.15.1")


def test_a_release_that_nobody_has_is_refused_with_the_registrys_reason(stack, well):
    well.processes.on("docker image inspect", code=1).on("docker pull", code=1, stderr="manifest unknown")
    with pytest.raises(ReleaseRefusedError, match=r"v9\.9\.9-ce is not here and cannot be pulled") as caught:
        plan_upgrade(stack, well, "9.9.9")
    assert caught.value.code == 15
    assert caught.value.details == ("manifest unknown",)


def test_an_image_that_is_no_chatwoot_is_refused(stack, well):
    well.processes.on("/app/config/app.yml", code=1)
    with pytest.raises(ReleaseRefusedError, match="does not say which release"):
        plan_upgrade(stack, well, "4.15.1")


def test_a_downgrade_is_refused_by_what_the_image_itself_says(stack, well):
    well.processes.on("/app/config/app.yml", "shared:\n  version: '4.9.0'\n")
    with pytest.raises(ReleaseRefusedError, match=r"v4\.9\.0-ce is older than v4\.14\.2-ce: a downgrade") as caught:
        plan_upgrade(stack, well, "latest-ce")
    assert caught.value.code == 15
    assert "Restore a backup set" in caught.value.remedy


def test_without_a_noted_release_the_schema_tells_a_downgrade(tmp_path, well):
    well.processes.on("invalid_indexes", database_answer(versions=[*VERSIONS, "29990101000000"]))
    unknown = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE)
    with pytest.raises(ReleaseRefusedError, match="older than what the database was made with"):
        plan_upgrade(unknown, well, "4.15.1")
    well.processes.on("invalid_indexes", database_answer())
    assert plan_upgrade(unknown, well, "4.15.1")[1].target == "v4.15.1-ce"


def test_the_plan_has_a_pinned_image_the_migrations_the_sizes_and_the_sets(stack, well):
    sealed(stack.backup_folder)
    well.processes.on("invalid_indexes", database_answer(versions=VERSIONS[:1]))
    target, plan = plan_upgrade(stack, well, "")
    assert (plan.release, plan.target, plan.migrations) == ("v4.14.2-ce", "v4.15.1-ce", VERSIONS[1:])
    assert plan.image == target.images["chatwoot-rails"] == f"chatwoot/chatwoot:v4.15.1-ce@{DIGEST}"
    assert (plan.cluster_size, plan.free, plan.sets) == (9_000_000, 100 * GIGABYTE, 1)
    assert target.overrides == {"CHATWOOT_IMAGE": plan.image, "CHATWOOT_RELEASE": "v4.15.1-ce"}
    assert stack.settings["CHATWOOT_RELEASE"] == "v4.14.2-ce"


@pytest.mark.parametrize(("free", "fits"), [(17_999_999, False), (18_000_000, True)])
def test_a_second_cluster_must_have_room(stack, well, free, fits):
    well.machine.disk = free
    if fits:
        assert plan_upgrade(stack, well, "4.15.1")
    else:
        with pytest.raises(PreflightFailedError, match="no room for the way back") as caught:
            plan_upgrade(stack, well, "4.15.1")
        assert caught.value.code == 11
