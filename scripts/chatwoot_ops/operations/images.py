"""Gets the images, and turns what `.env` asks for into a version and a digest that never move by themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.errors import CommandFailedError, ReleaseRefusedError
from chatwoot_ops.model.release import parse_image, version_of_app_yml
from chatwoot_ops.model.stack import RAILS, Stack

FAKE_LABEL = "chatwoot-ops.fake"
_COMMUNITY = "CW_EDITION=ce"
SETTINGS = {RAILS: "CHATWOOT_IMAGE", "chatwoot-db": "POSTGRES_IMAGE", "chatwoot-redis": "REDIS_IMAGE"}


@dataclass(frozen=True, slots=True)
class Pinned:
    """What `.env` should say: a pinned reference for each image setting, and Chatwoot's release."""

    values: dict[str, str]
    release: str


def get_images(stack: Stack, host: Host) -> None:
    """Pulls each image that is not here; a floating tag is pulled anew, and taken from here when that fails.

    Raises CommandFailedError when an image is neither here nor to be had.
    """
    for image in stack.images.values():
        here = _inspect(image, host) is not None
        if here and parse_image(image).pinned:
            continue
        local_only = here and not _inspect_required(image, host)["RepoDigests"]
        if local_only:
            continue
        host.reporter.note(f"Pulling {image}")
        answer = host.processes.try_run(docker.pull(image))
        if answer.code != 0 and not here:
            reason = tuple(answer.stderr.strip().splitlines()[-3:])
            remedy = "Check the name in .env and the network, or load the image with 'docker load'."
            raise CommandFailedError(
                f"The image {image} is not here and cannot be pulled", details=reason, remedy=remedy
            )


def pin_images(stack: Stack, host: Host) -> Pinned:
    """The pinned reference of each image, and Chatwoot's release read from the image itself.

    Raises ReleaseRefusedError for an enterprise build and for an image that is no Chatwoot.
    """
    require_community(stack, host)
    version = _version(stack.images[RAILS], host)
    values: dict[str, str] = {}
    for service, image in stack.images.items():
        tag = f"v{version}-ce" if service == RAILS else parse_image(image).tag
        values[SETTINGS[service]] = _pinned(image, tag, host)
    return Pinned(values, f"v{version}-ce")


def _pinned(image: str, tag: str, host: Host) -> str:
    if parse_image(image).pinned:
        return image
    inspected = _inspect_required(image, host)
    if not inspected["RepoDigests"]:
        return str(inspected["Id"])
    repository, _, digest = inspected["RepoDigests"][0].partition("@")
    return f"{repository}:{tag}@{digest}"


def require_community(stack: Stack, host: Host) -> None:
    """Refuses an enterprise build by its tag, and by what the image says of itself where it is here already.

    Raises ReleaseRefusedError.
    """
    image = stack.images[RAILS]
    reference, described = parse_image(image), _inspect(image, host)
    variables = described["Config"]["Env"] or [] if described else [_COMMUNITY]
    if _COMMUNITY not in variables or (reference.tag and not reference.community):
        remedy = "Set CHATWOOT_IMAGE to a tag that ends in -ce, such as chatwoot/chatwoot:latest-ce."
        raise ReleaseRefusedError(f"{image} is not Chatwoot's Community Edition", remedy=remedy)


def _version(image: str, host: Host) -> str:
    answer = host.processes.try_run(docker.read_image_file(image, "/app/config/app.yml"))
    version = version_of_app_yml(answer.stdout)
    if not version:
        raise ReleaseRefusedError(f"{image} does not say which release of Chatwoot it is (/app/config/app.yml)")
    return version


def repository_of(image: str, host: Host) -> str:
    """The repository that an image reference names; for a bare id, the one its image here is tagged with.

    Raises ReleaseRefusedError where nothing says it.
    """
    if not image.startswith("sha256:"):
        return image.partition("@")[0].rpartition(":")[0] or image
    tags = _inspect_required(image, host)["RepoTags"]
    if not tags:
        raise ReleaseRefusedError(
            "The running image has no name any more", remedy="Give a whole image: --to REPOSITORY:TAG"
        )
    return str(tags[0]).rpartition(":")[0]


def fake_release(image: str, host: Host) -> str:
    """The release that a sandbox image imitates, "" for a real Chatwoot or an image that is not here."""
    inspected = _inspect(image, host)
    labels = (inspected or {}).get("Config", {}).get("Labels") or {}
    return str(labels.get(FAKE_LABEL, ""))


def _inspect(image: str, host: Host) -> dict[str, Any] | None:
    answer = host.processes.try_run(docker.image_id(image))
    if answer.code != 0:
        return None
    described: dict[str, Any] = json.loads(answer.stdout)
    return described


def _inspect_required(image: str, host: Host) -> dict[str, Any]:
    described = _inspect(image, host)
    if described is None:
        raise CommandFailedError(f"The image {image} is not here", remedy="Type 'invoke setup', which gets it.")
    return described
