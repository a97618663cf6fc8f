"""Network, images and volumes, where a machine that is to be restored has none yet."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import docker
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.images import get_images
from chatwoot_ops.operations.preflight import require
from chatwoot_ops.operations.volumes import create_volume, is_there, mark_volume, volume_checks


def make_ready(stack: Stack, host: Host, change: Change) -> None:
    """Network, images and volumes, where a machine has none yet; what is there is left alone."""
    network = stack.settings["CHATWOOT_NETWORK"]
    absent = [service for service in stack.volumes if not is_there(stack, host, service)]
    no_network = host.processes.try_run(docker.network(network)).code != 0
    if not absent and not no_network:
        require(volume_checks(stack, host, empty_is_well=True))
        return
    change.step("make-ready", "Making network and volumes", created=[stack.volumes[service] for service in absent])
    if no_network:
        host.processes.run(docker.create_network(network))
    get_images(stack, host)
    for service in absent:
        create_volume(stack, host, service)
        mark_volume(stack, host, service, stack.settings["CHATWOOT_INSTANCE_ID"], fill=False)
    require(volume_checks(stack, host, empty_is_well=True))
