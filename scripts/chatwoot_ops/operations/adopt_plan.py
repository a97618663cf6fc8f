"""The stack that a source is to become: its settings, from the source's and from what was written here already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.model.adoption import Carried, carried_over, secrets_of, setting_checks, written
from chatwoot_ops.model.check import Check, warned
from chatwoot_ops.model.encrypted import FINGERPRINTED
from chatwoot_ops.model.release import parse_image, version_of_app_yml
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.adopt_look import look
from chatwoot_ops.operations.adopt_server import ServerFacts
from chatwoot_ops.operations.adopt_source import AdoptOptions, Origin, find_origin, refuse_unclear
from chatwoot_ops.operations.images import get_images, pin_images
from chatwoot_ops.operations.opening import Place
from chatwoot_ops.operations.secrets import GENERATED, made_secrets

SETTINGS = "settings.env"


@dataclass(frozen=True, slots=True)
class Plan:
    """The stack to be, its settings' text, where it comes from, the source's own settings, and all that was seen."""

    stack: Stack
    text: str = field(repr=False)
    origin: Origin
    env: Mapping[str, str] = field(repr=False)
    checks: tuple[Check, ...]
    facts: ServerFacts | None


def plan_of(place: Place, host: Host, asked: AdoptOptions) -> Plan:
    """What would become of the source, after looking at everything; nothing is touched.

    Raises SettingsInvalidError for flags that contradict each other, PreflightFailedError where there is no source.
    """
    refuse_unclear(asked)
    file = read_env_file(Path(asked.env))
    schema = place.schema()
    host.processes.secrets = (*host.processes.secrets, *secrets_of(schema, file.values))
    carried = carried_over(schema, file.values)
    own = _own(place)
    origin = find_origin(host, asked, file.values)
    # Of all settings the keys belong to the data.
    values = {**carried.values, **own, **{key: carried.values[key] for key in FINGERPRINTED if key in carried.values}}
    if image := asked.image or own.get("CHATWOOT_IMAGE", "") or community_image(host, origin.image):
        values["CHATWOOT_IMAGE"] = image
    stack = Stack(Settings.merge(schema, values), place.compose_folder, place.env_file)
    looked = look(stack, host, origin, asked, file.values)
    checks = (*looked.checks, *_setting_checks(stack, carried, values), *_damage(file.damage))
    text = with_values(place.example.read_text(encoding="utf-8"), {key: written(values[key]) for key in values})
    return Plan(stack, text, origin, file.values, checks, looked.facts)


def _own(place: Place) -> dict[str, str]:
    """What this machine's operator wrote already; a value that is the example's was not chosen."""
    if not place.env_file.exists():
        return {}
    defaults = {item.key: item.default for item in place.schema()}
    given = read_env_file(place.env_file).values
    return {key: value for key, value in given.items() if value and value != defaults.get(key)}


def _setting_checks(stack: Stack, carried: Carried, values: Mapping[str, str]) -> tuple[Check, ...]:
    empty = frozenset(key for key in GENERATED if not values.get(key))
    whole = Carried(values, carried.replaced, carried.unknown, carried.left_out)
    return setting_checks(stack.settings, whole, empty)


def _damage(lines: tuple[str, ...]) -> tuple[Check, ...]:
    remedy = "Compose and this tool may read that line differently; look at it in the .env of the source"
    return tuple(warned("the source's .env", line, remedy) for line in lines)


def community_image(host: Host, image: str) -> str:
    """The Community Edition's image of the release that an image holds, "" where nothing says which one that is."""
    reference = parse_image(image)
    if not image or (reference.community and reference.version):
        return image
    answer = host.processes.try_run(docker.read_image_file(image, "/app/config/app.yml"))
    version = version_of_app_yml(answer.stdout)
    repository = image.partition("@")[0].removesuffix(f":{reference.tag}") if reference.tag else image.partition("@")[0]
    return f"{repository}:v{version}-ce" if version and not image.startswith("sha256:") else ""


def settle(plan: Plan, host: Host, work: Path) -> str:
    """The settings' text with pinned images, new secrets and an id; it is in `work` too, for a recovery.

    Raises ReleaseRefusedError for an image that is no Community Edition, CommandFailedError for one that is not to be
    had.
    """
    get_images(plan.stack, host)
    pinned = pin_images(plan.stack, host)
    values = {**pinned.values, "CHATWOOT_RELEASE": pinned.release, "CHATWOOT_INSTANCE_ID": str(uuid4())}
    path = work / SETTINGS
    write_env_file(path, with_values(plan.text, values))
    write_env_file(path, with_values(plan.text, {**values, **made_secrets(read_env_file(path))}))
    return path.read_text(encoding="utf-8")
