"""Images: got, pinned, and refused where they are no Community Edition."""

import pytest

from chatwoot_ops.errors import CommandFailedError, ReleaseRefusedError
from chatwoot_ops.operations.images import fake_release, get_images, pin_images
from world import DIGEST, IMAGE_ID, image, stack_in

PINNED = f"chatwoot/chatwoot:v4.15.1-ce@{DIGEST}"


def asked_for(folder, reference):
    return stack_in(folder, CHATWOOT_IMAGE=reference)


def pulled(host):
    return [command.argv[-1] for command in host.processes.ran_with("docker pull")]


@pytest.mark.parametrize("asked", ["chatwoot/chatwoot:latest-ce", "chatwoot/chatwoot:v4.15.1-ce", "chatwoot/chatwoot"])
def test_what_is_asked_for_is_pinned_by_version_and_digest(tmp_path, well, asked):
    pinned = pin_images(asked_for(tmp_path, asked), well)
    assert pinned.values["CHATWOOT_IMAGE"] == PINNED
    assert pinned.values["REDIS_IMAGE"].endswith(f":7-alpine@{DIGEST}")
    assert pinned.release == "v4.15.1-ce"


def test_an_image_without_a_registry_is_pinned_by_its_id(stack, well):
    well.processes.on("docker image inspect", image(digests=()))
    assert set(pin_images(stack, well).values.values()) == {IMAGE_ID}


@pytest.mark.parametrize("pinned", [PINNED, IMAGE_ID, f"chatwoot/chatwoot@{DIGEST}"])
def test_what_is_pinned_stays_as_it_is(tmp_path, well, pinned):
    assert pin_images(asked_for(tmp_path, pinned), well).values["CHATWOOT_IMAGE"] == pinned


@pytest.mark.parametrize(
    ("asked", "env"),
    [
        ("chatwoot/chatwoot:v4.15.1", ["CW_EDITION=ce"]),
        ("chatwoot/chatwoot:latest", ["CW_EDITION=ce"]),
        ("chatwoot/chatwoot:latest-ce", ["CW_EDITION=ee"]),
        ("chatwoot/chatwoot:latest-ce", []),
        (IMAGE_ID, []),
    ],
    ids=["enterprise tag", "enterprise floating tag", "enterprise inside", "no Chatwoot", "unknown id"],
)
def test_what_is_no_community_edition_is_refused(tmp_path, well, asked, env):
    well.processes.on("docker image inspect", image(env=env))
    with pytest.raises(ReleaseRefusedError, match="is not Chatwoot's Community Edition") as caught:
        pin_images(asked_for(tmp_path, asked), well)
    assert caught.value.code == 15
    assert "-ce" in caught.value.remedy


@pytest.mark.parametrize("app_yml", ["", "shared: {}"])
def test_an_image_that_does_not_say_its_release_is_refused(stack, well, app_yml):
    well.processes.on("/app/config/app.yml", app_yml, code=0 if app_yml else 1)
    with pytest.raises(ReleaseRefusedError, match="does not say which release"):
        pin_images(stack, well)


def test_a_floating_tag_is_pulled_anew_and_a_pinned_image_is_not(tmp_path, well):
    get_images(asked_for(tmp_path, PINNED), well)
    assert pulled(well) == ["pgvector/pgvector:pg16", "redis:7-alpine"]


def test_offline_the_local_image_serves(stack, well):
    well.processes.on("docker pull", code=1, stderr="no route to host")
    get_images(stack, well)
    assert len(pulled(well)) == 3


def test_an_image_without_a_registry_is_never_pulled(stack, well):
    well.processes.on("docker image inspect", image(digests=()))
    get_images(stack, well)
    assert pulled(well) == []


def test_an_image_that_is_nowhere_is_an_error_with_the_registrys_words(stack, well):
    well.processes.on("docker image inspect", code=1).on("docker pull", code=1, stderr="a\nb\nmanifest unknown\n")
    with pytest.raises(CommandFailedError, match="is not here and cannot be pulled") as caught:
        get_images(stack, well)
    assert caught.value.details == ("a", "b", "manifest unknown")
    assert "docker load" in caught.value.remedy


def test_pinning_what_is_not_here_is_an_error(stack, well):
    well.processes.on("docker image inspect", code=1)
    with pytest.raises(CommandFailedError, match="is not here"):
        pin_images(stack, well)


@pytest.mark.parametrize(("labels", "release"), [({"chatwoot-ops.fake": "4.15.1"}, "4.15.1"), ({}, "")])
def test_a_fake_says_which_release_it_imitates(host, labels, release):
    host.processes.on("docker image inspect", image(labels=labels))
    assert fake_release("any", host) == release


def test_an_image_that_is_not_here_is_no_fake(host):
    host.processes.on("docker image inspect", code=1)
    assert fake_release("any", host) == ""
