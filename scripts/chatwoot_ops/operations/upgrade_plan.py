"""What an upgrade would do: the target resolved to an image and a version before anything happens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import backup as sizes
from chatwoot_ops.commands import docker
from chatwoot_ops.errors import CommandFailedError, PreflightFailedError, ReleaseRefusedError
from chatwoot_ops.model.intended import Intended
from chatwoot_ops.model.release import order_of, parse_image
from chatwoot_ops.model.size import show_size
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.model.upgrade import Plan
from chatwoot_ops.operations.backup_sets import list_sets
from chatwoot_ops.operations.database import database_state, versions_of_image
from chatwoot_ops.operations.images import get_images, pin_images, repository_of

NEWEST = "latest-ce"


def target_image(stack: Stack, host: Host, to: str) -> str:
    """The image that is meant: a release of the repository in use, or an image reference as it stands.

    Raises ReleaseRefusedError for a tag that names no Community Edition.
    """
    wanted = to or NEWEST
    image = wanted if "/" in wanted else f"{repository_of(stack.images[RAILS], host)}:{_tag(wanted)}"
    if not parse_image(image).community and not parse_image(image).pinned:
        remedy = "Name a tag that ends in -ce, such as --to v4.15.1-ce. Nothing was changed."
        raise ReleaseRefusedError(f"{image} is no Community Edition: its tag does not end in -ce", remedy=remedy)
    return image


def _tag(release: str) -> str:
    return f"v{release}-ce" if release[:1].isdigit() and not release.endswith("-ce") else release


def plan_upgrade(stack: Stack, host: Host, to: str) -> tuple[Stack, Plan]:
    """The stack as it would be after the upgrade, and the plan; the new image is here afterwards, the old one serves.

    Raises ReleaseRefusedError for a downgrade, an unknown release or an enterprise build, PreflightFailedError for a
    disk that is too small.
    """
    target = _target(stack, host, target_image(stack, host, to))
    known, there = versions_of_image(target, host), database_state(stack, host).versions
    _refuse_downgrade(stack.settings["CHATWOOT_RELEASE"], target.settings["CHATWOOT_RELEASE"], unknown=there - known)
    plan = Plan(
        release=stack.settings["CHATWOOT_RELEASE"],
        target=target.settings["CHATWOOT_RELEASE"],
        image=target.images[RAILS],
        migrations=tuple(sorted(known - there)),
        cluster_size=int(host.processes.run(sizes.space(stack, host.compose)).stdout.strip()),
        free=host.machine.free_disk(docker_folder(host)),
        sets=len(list_sets(stack, host).sets),
    )
    _require_room(plan)
    return target, plan


def intended_upgrade(stack: Stack, host: Host, *, to: str = "") -> Intended:
    """The plan and nothing else; the new image is fetched, which changes nothing that runs.

    Raises what upgrade raises before it touches anything.
    """
    return Intended(plan_lines(plan_upgrade(stack, host, to)[1]))


def plan_lines(plan: Plan) -> tuple[str, ...]:
    """The plan, for people."""
    return (
        f"From {plan.release} to {plan.target} ({plan.image})",
        f"{len(plan.migrations)} migrations will run: {', '.join(plan.migrations) or 'none'}",
        f"{show_size(plan.cluster_size)} of data are copied for the way back, {show_size(plan.free)} are free",
        f"{plan.sets} backup sets are there; one more is made first",
    )


def _target(stack: Stack, host: Host, image: str) -> Stack:
    asked = moved_to(stack, {"CHATWOOT_IMAGE": image})
    try:
        get_images(asked, host)
    except CommandFailedError as error:
        raise ReleaseRefusedError(error.message, details=error.details, remedy=error.remedy) from error
    pinned = pin_images(asked, host)
    return moved_to(stack, {"CHATWOOT_IMAGE": pinned.values["CHATWOOT_IMAGE"], "CHATWOOT_RELEASE": pinned.release})


def _require_room(plan: Plan) -> None:
    needed = plan.cluster_size * 2
    if plan.free < needed:
        text = f"{show_size(plan.free)} free, a second cluster and its growth need {show_size(needed)}"
        remedy = "See docs/runbooks/disk-full.md."
        raise PreflightFailedError("There is no room for the way back", details=(text,), remedy=remedy)


def _refuse_downgrade(release: str, target: str, *, unknown: frozenset[str]) -> None:
    # A stack that was made by hand need not say its release; its schema does.
    older = order_of(target) < order_of(release) if order_of(release) else bool(unknown)
    if older:
        remedy = "Restore a backup set of that release instead: its schema has no way back (docs/how-to/restore.md)."
        before = release or "what the database was made with"
        raise ReleaseRefusedError(f"{target} is older than {before}: a downgrade", remedy=remedy)


def moved_to(stack: Stack, values: dict[str, str]) -> Stack:
    """The stack as it is with these settings."""
    settings = replace(stack.settings, values={**stack.settings.values, **values})
    return replace(stack, settings=settings, overrides={**stack.overrides, **values})


def docker_folder(host: Host) -> Path:
    """Where the engine keeps its volumes."""
    return Path(host.processes.run(docker.root_folder()).stdout.strip())
