"""The three volumes and whose they are: the instance's id is in `.env`, in each volume and in the database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.commands.docker import PROJECT_LABEL
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.check import Check, failed, passed
from chatwoot_ops.model.stack import DATABASE, RAILS, REDIS, Stack

MARKER = ".chatwoot-instance"
COMPOSE_NAMES = {DATABASE: "db-data", REDIS: "redis-data", RAILS: "storage"}
_LOOK = f"""
cd /volume
echo "marker=$(cat {MARKER} 2>/dev/null)"
echo "empty=$(ls -A | grep -vx -e {MARKER} -e .initializing | head -n 1 | wc -l)"
echo "beginning=$(test -e .initializing && echo yes)"
for place in current/PG_VERSION PG_VERSION; do [ -s $place ] && {{ echo "postgres=$(cat $place)"; break; }}; done
command -v postgres >/dev/null && echo "image=$(postgres --version | sed 's/[^0-9]*\\([0-9]*\\).*/\\1/')"
true
"""


@dataclass(frozen=True, slots=True)
class VolumeState:
    """What a volume holds: the instance it belongs to ("" unknown), whether it is empty, its PostgreSQL major."""

    name: str
    exists: bool
    instance: str = ""
    empty: bool = True
    beginning: bool = False
    postgres_major: str = ""
    image_major: str = ""


def is_there(stack: Stack, host: Host, service: str) -> bool:
    """Whether the engine has a service's volume."""
    return host.processes.try_run(docker.volume(stack.volumes[service])).code == 0


def look_into(stack: Stack, host: Host, service: str) -> VolumeState:
    """The state of a service's volume.

    Raises CommandFailedError when it exists and cannot be looked into.
    """
    name = stack.volumes[service]
    if not is_there(stack, host, service):
        return VolumeState(name, exists=False)
    text = host.processes.run(docker.in_volume(stack.images[DATABASE], name, _LOOK)).stdout
    facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    return VolumeState(
        name,
        exists=True,
        instance=facts.get("marker", ""),
        empty=facts.get("empty", "1").strip() == "0",
        beginning=facts.get("beginning") == "yes",
        postgres_major=facts.get("postgres", ""),
        image_major=facts.get("image", ""),
    )


def volume_checks(
    stack: Stack, host: Host, *, expected: str | None = None, empty_is_well: bool = False
) -> tuple[Check, ...]:
    """Whether each volume is this instance's own, and whether its PostgreSQL is the image's.

    `expected` stands in for the id in `.env` while set-up is being finished; an empty database volume is well only
    where a restore is about to fill it.
    """
    instance = stack.settings["CHATWOOT_INSTANCE_ID"] if expected is None else expected
    states = {service: look_into(stack, host, service) for service in stack.volumes}
    checks = [check for state in states.values() for check in _checks(state, instance)]
    return (*checks, *(() if empty_is_well else _emptied(states[DATABASE], instance)))


def _emptied(volume: VolumeState, instance: str) -> tuple[Check, ...]:
    if not instance or not volume.exists or volume.postgres_major or volume.beginning:
        return ()
    remedy = "Find the right volume, or restore a backup: 'invoke restore'"
    return (failed(f"volume {volume.name}", "holds no database, but this installation has data", remedy),)


def _checks(volume: VolumeState, instance: str) -> list[Check]:
    name = f"volume {volume.name}"
    if not volume.exists and instance:
        return [
            failed(
                name,
                f"is gone, but this installation ({instance}) has data",
                "Find it, or restore a backup; 'invoke down --volumes' forgets the installation",
            )
        ]
    if not volume.exists:
        return [passed(name, "not there yet")]
    if volume.instance and not instance:
        line = f"CHATWOOT_INSTANCE_ID={volume.instance}"
        remedy = f"If it is yours, put {line} and its secrets into .env; else choose another volume name"
        return [failed(name, f"belongs to another installation ({volume.instance})", remedy)]
    if volume.instance != instance and instance:
        holds = f"belongs to installation {volume.instance}" if volume.instance else "carries no installation's mark"
        return [failed(name, f"{holds}, not to {instance}", "Mount the right volume, or name it in .env")]
    checks = [passed(name, "this installation's own" if instance else "not marked yet")]
    if volume.postgres_major and volume.image_major and volume.postgres_major != volume.image_major:
        seen = f"holds PostgreSQL {volume.postgres_major}, the image is PostgreSQL {volume.image_major}"
        checks.append(failed(name, seen, "Set POSTGRES_IMAGE back in .env; a new major needs a dump and a restore"))
    return checks


def create_volume(stack: Stack, host: Host, service: str) -> None:
    """Makes a service's volume with the labels by which Compose takes it for its own."""
    labels = (f"{PROJECT_LABEL}={stack.project}", f"com.docker.compose.volume={COMPOSE_NAMES[service]}")
    flags = tuple(part for label in labels for part in ("--label", label))
    name = stack.volumes[service]
    host.processes.run(docker.docker("volume", "create", *flags, name, purpose=f"Creating the volume {name}"))


def mark_volume(stack: Stack, host: Host, service: str, instance: str, *, fill: bool = True) -> None:
    """Writes the instance's id into a volume; an empty database volume is marked as one that may be filled, or not."""
    state = look_into(stack, host, service)
    beginning = "touch .initializing; chmod 666 .initializing;" if fill and service == DATABASE and state.empty else ""
    script = f"cd /volume && {beginning} cat > {MARKER}.partial && mv {MARKER}.partial {MARKER} && sync"
    host.processes.run(docker.in_volume(stack.images[DATABASE], state.name, script, write=True, stdin=f"{instance}\n"))


def unmark(stack: Stack, host: Host, before: Mapping[str, VolumeState]) -> None:
    """Puts the volumes back as they were before they were made and marked; nothing has been written to them since."""
    made = [state.name for state in before.values() if not state.exists]
    if made:
        host.processes.try_run(docker.remove_volumes(*made))
    script = f"rm -f /volume/{MARKER} /volume/{MARKER}.partial /volume/.initializing"
    for state in before.values():
        if state.exists and not state.instance:
            host.processes.try_run(docker.in_volume(stack.images[DATABASE], state.name, script, write=True))


def volume_sizes(host: Host) -> dict[str, str]:
    """The size of each volume on this engine, as Docker shows it.

    Raises CommandFailedError when the engine does not answer.
    """
    text = host.processes.run(docker.disk_usage()).stdout
    try:
        return {each["Name"]: each["Size"] for each in json.loads(text)["Volumes"]}
    except (ValueError, KeyError, TypeError) as error:
        raise CommandFailedError("The engine's disk usage cannot be read") from error
