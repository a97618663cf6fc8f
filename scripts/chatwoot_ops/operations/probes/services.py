"""Containers: running, healthy, not restarting; and whether what runs is a real Chatwoot."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.model.check import Check, failed, passed, warned
from chatwoot_ops.model.stack import RAILS, Stack
from chatwoot_ops.operations.containers import Container, containers_of, keeps_ending
from chatwoot_ops.operations.images import fake_release


def services(stack: Stack, host: Host) -> list[Check]:
    """One check for each service, and a warning where a stand-in runs in Chatwoot's place."""
    there = {each.service: each for each in containers_of(stack, host)}
    checks = [_service(name, there.get(name), host) for name in stack.services]
    if release := fake_release(stack.images[RAILS], host):
        seen = f"a fake of {release} runs, not a real Chatwoot"
        checks.append(
            warned(
                "Chatwoot itself",
                seen,
                "Only the rehearsal and tests use it; set CHATWOOT_IMAGE for real use",
            )
        )
    return checks


def _service(name: str, container: Container | None, host: Host) -> Check:
    if container is None:
        return failed(name, "has no container", "Type 'invoke up'")
    seen = f"{container.state}, {container.health or 'no health check'}, {container.restarts} restarts"
    if container.out_of_memory:
        return failed(
            name,
            f"{seen}, killed for lack of memory",
            f"Raise its memory limit in .env, then 'invoke up' ({name})",
        )
    if not container.well or keeps_ending(container, host):
        return failed(name, seen, f"Type 'invoke logs --service {name}'")
    return passed(name, seen)
