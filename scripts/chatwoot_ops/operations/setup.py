"""From a clone to a stack that works: each step creates what is missing and leaves alone what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from uuid import uuid4

from chatwoot_ops.adapters.env_file import read_env_file, with_values, write_env_file
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, docker
from chatwoot_ops.model.check import Check
from chatwoot_ops.model.journal import Journal
from chatwoot_ops.model.settings import Settings
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.operations import administrator as first
from chatwoot_ops.operations.changing import Change, changing, require_quiet
from chatwoot_ops.operations.containers import wait_until_healthy
from chatwoot_ops.operations.database import database_state
from chatwoot_ops.operations.images import get_images, pin_images, require_community
from chatwoot_ops.operations.instance import record_instance
from chatwoot_ops.operations.migrate import needs_preparing, open_first_run_page_if_lost, prepare, start_data_services
from chatwoot_ops.operations.opening import Place, open_before_secrets, open_stack
from chatwoot_ops.operations.preflight import preflight, require
from chatwoot_ops.operations.secrets import GENERATED, existing_or_example, fill
from chatwoot_ops.operations.sizing import web_processes
from chatwoot_ops.operations.smoke import smoke
from chatwoot_ops.operations.volumes import VolumeState, create_volume, look_into, mark_volume, unmark, volume_checks

NOBODY = first.Applicant()


@dataclass(frozen=True, slots=True)
class SetUp:
    """What set-up did: what changed, the address, who the administrator is, and the smoke check's answers."""

    changed: tuple[str, ...]
    url: str
    release: str
    administrator: str
    account: int
    password: str
    checks: tuple[Check, ...]


def set_up(
    place: Place, host: Host, who: first.Applicant = NOBODY, *, quick: bool = False, resume: Journal | None = None
) -> SetUp:
    """Makes everything that is missing, in an order in which every step can be cut off and run again.

    Raises one of the documented errors; nothing is touched before the preflight checks have passed. Whether the stack
    works is in the result's checks.
    """
    stack = open_before_secrets(place, existing_or_example(place), GENERATED)
    if resume is None and place.env_file.exists():
        require_quiet(stack, host, "setup")
    require(_looked_at_before(stack, host, resume))
    require_community(stack, host)
    person = _chosen_early(stack, host, who)
    options = {**asdict(who), "quick": quick}
    with changing(stack, host, "setup", options, resume=resume) as change:
        stack = _make(place, host, change)
        account = 0
        if first.first_run_page_is_open(stack, host):
            person = person or first.choose_administrator(stack, host, who)
            account = _administrator(stack, host, change, person)
    # A failed probe must not cost the only showing of the password: the checks are part of the result.
    checks = smoke(stack, host, quick=quick)
    return _result(stack, change, person if account else None, account, checks)


def _result(
    stack: Stack, change: Change, made: first.Administrator | None, account: int, checks: tuple[Check, ...]
) -> SetUp:
    return SetUp(
        tuple(change.changed),
        stack.settings["FRONTEND_URL"],
        stack.settings["CHATWOOT_RELEASE"],
        made.email if made else "",
        account,
        made.password if made and made.generated else "",
        checks,
    )


def _make(place: Place, host: Host, change: Change) -> Stack:
    filled = fill(place, change)
    if filled:
        change.made(f"secrets filled: {', '.join(filled)}")
    stack = open_stack(place)
    host.processes.secrets = tuple(stack.settings.secrets().values())
    stack = _network_and_images(stack, host, change)
    stack = _volumes(stack, host, change)
    _database(stack, host, change)
    _start(stack, host, change)
    return stack


def looked_at(place: Place, host: Host) -> tuple[Check, ...]:
    """What set-up looks at before it touches anything: the dry run.

    Raises SettingsInvalidError for settings that cannot work.
    """
    return preflight(open_before_secrets(place, existing_or_example(place), GENERATED), host)


def _looked_at_before(stack: Stack, host: Host, resume: Journal | None) -> tuple[Check, ...]:
    checks = preflight(stack, host)
    if resume is None:
        return checks
    # While set-up is being finished the volumes may carry the id that it had noted and not yet written to .env.
    return tuple(check for check in checks if not check.name.startswith("volume "))


def _network_and_images(stack: Stack, host: Host, change: Change) -> Stack:
    network = stack.settings["CHATWOOT_NETWORK"]
    if host.processes.try_run(docker.network(network)).code != 0:
        change.step("network", f"Creating the network {network}", name=network)
        host.processes.run(docker.create_network(network))
        change.made(f"network {network} created")
    change.step("images", "Getting the images")
    get_images(stack, host)
    pinned = pin_images(stack, host)
    values = {**pinned.values, "CHATWOOT_RELEASE": pinned.release}
    if not stack.settings["CHATWOOT_RELEASE"] and stack.settings["WEB_CONCURRENCY"] == stack.settings.default(
        "WEB_CONCURRENCY"
    ):
        values["WEB_CONCURRENCY"] = str(web_processes(stack, host))
    return _write(stack, change, "pin-images", "Pinning the images in .env", values)


def _write(stack: Stack, change: Change, step: str, text: str, values: dict[str, str]) -> Stack:
    new = {key: value for key, value in values.items() if stack.settings[key] != value}
    if not new:
        return stack
    change.step(step, text, names=sorted(new))
    write_env_file(stack.env_file, with_values(read_env_file(stack.env_file).text, new))
    change.made(f".env: {', '.join(sorted(new))}")
    return replace(stack, settings=Settings.merge(stack.settings.schema, read_env_file(stack.env_file).values))


def _volumes(stack: Stack, host: Host, change: Change) -> Stack:
    noted = str(change.resumed_facts("volumes").get("instance", ""))
    instance = stack.settings["CHATWOOT_INSTANCE_ID"] or noted
    if instance and all(look_into(stack, host, service).instance == instance for service in stack.volumes):
        return _write(stack, change, "instance", "Writing the instance id", {"CHATWOOT_INSTANCE_ID": instance})
    new_instance = instance or str(uuid4())
    states = {service: look_into(stack, host, service) for service in stack.volumes}
    created = [state.name for state in states.values() if not state.exists]
    change.step("volumes", "Making the volumes", instance=new_instance, created=created)
    try:
        _make_and_mark(stack, host, states, new_instance)
    except BaseException:
        # Marked for an id that .env never came to know, they would be refused as another installation's.
        unmark(stack, host, states)
        raise
    for name in created:
        change.made(f"volume {name} created")
    return _write(stack, change, "instance", "Writing the instance id", {"CHATWOOT_INSTANCE_ID": new_instance})


def _make_and_mark(stack: Stack, host: Host, states: Mapping[str, VolumeState], instance: str) -> None:
    for service, state in states.items():
        if not state.exists:
            create_volume(stack, host, service)
        if not state.instance:
            mark_volume(stack, host, service, instance)
    require(volume_checks(stack, host, expected=instance))


def _database(stack: Stack, host: Host, change: Change) -> None:
    start_data_services(stack, host, change)
    record_instance(stack, host)
    state = database_state(stack, host)
    if needs_preparing(stack, host, state):
        migrated = prepare(stack, host, change)
        change.made(f"database prepared: {len(migrated.applied)} migrations")
    elif open_first_run_page_if_lost(stack, host, state):
        change.made("first-run key put back")


def _start(stack: Stack, host: Host, change: Change) -> None:
    change.step("start", "Starting web and worker")
    host.processes.run(compose.up(stack, host.compose))
    wait_until_healthy(stack, host, stack.services)


def _chosen_early(stack: Stack, host: Host, who: first.Applicant) -> first.Administrator | None:
    # On a new installation the questions come before anything is touched, not after minutes of waiting.
    new = not stack.settings["CHATWOOT_INSTANCE_ID"] and not look_into(stack, host, DATABASE).exists
    return first.choose_administrator(stack, host, who) if new else None


def _administrator(stack: Stack, host: Host, change: Change, person: first.Administrator) -> int:
    change.step("administrator", f"Making the first administrator, {person.email}")
    account = first.create_administrator(stack, host, person)
    change.made(f"administrator {person.email} made, account {account}")
    return account
