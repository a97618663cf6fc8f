"""What the engine says of the stack's containers, and waiting until they are healthy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose, docker
from chatwoot_ops.errors import StackUnhealthyError
from chatwoot_ops.model.stack import Stack

START_TIMEOUT_SECONDS = 300
LAST_LOG_LINES = 12
# A container that ended this often by itself during one start will not come up by waiting.
HOPELESS_RESTARTS = 6
MOST_RESTARTS = 3
STEADY_AFTER_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Container:
    """One container: its service, state ("running", "exited", ...), health ("healthy", ..., ""), restarts and start."""

    service: str
    id: str
    state: str
    health: str
    restarts: int
    image: str
    exit_code: int
    out_of_memory: bool
    started: str = ""

    @property
    def well(self) -> bool:
        """Whether it runs and its health check holds."""
        return self.state == "running" and self.health == "healthy"


def containers_of(stack: Stack, host: Host) -> tuple[Container, ...]:
    """Every container of the stack's services, one-off containers left out.

    Raises CommandFailedError when the engine does not answer.
    """
    ids = host.processes.run(docker.containers_of(stack.project)).stdout.split()
    if not ids:
        return ()
    inspected = host.processes.try_run(docker.inspect_containers(*ids)).stdout
    found = (_container(each) for each in json.loads(inspected or "[]") if not _is_one_off(each))
    return tuple(sorted(found, key=lambda container: container.service))


def _is_one_off(described: dict[str, dict[str, dict[str, str]]]) -> bool:
    labels = described["Config"]["Labels"]
    # One that no compose file knows was started beside the stack, by an operation of ours.
    return labels.get("com.docker.compose.oneoff") == "True" or "com.docker.compose.service" not in labels


def _container(described: dict[str, dict[str, object]]) -> Container:
    state, config = described["State"], described["Config"]
    labels, health = config["Labels"], state.get("Health")
    assert isinstance(labels, dict)  # noqa: S101 - for the type checker
    return Container(
        service=labels["com.docker.compose.service"],
        id=str(described["Id"]),
        state=str(state["Status"]),
        health=str(health["Status"]) if isinstance(health, dict) else "",
        restarts=int(str(described["RestartCount"])),
        image=str(config["Image"]),
        exit_code=int(str(state["ExitCode"])),
        out_of_memory=bool(state.get("OOMKilled")),
        started=str(state.get("StartedAt", "")),
    )


def keeps_ending(container: Container, host: Host) -> bool:
    """Whether it ended by itself often, and lately: the engine counts restarts for as long as the container exists."""
    if container.restarts <= MOST_RESTARTS or not container.started:
        return container.restarts > MOST_RESTARTS
    started = datetime.fromisoformat(container.started[:19] + "+00:00")
    return (host.clock.now() - started).total_seconds() < STEADY_AFTER_SECONDS


def stop_what_keeps_ending(stack: Stack, host: Host) -> None:
    """Stops such containers before they are started again: only then does the engine count from zero."""
    services = tuple(each.service for each in containers_of(stack, host) if keeps_ending(each, host))
    if services:
        host.processes.run(compose.stop(stack, host.compose, *services))


def wait_until_healthy(
    stack: Stack, host: Host, services: tuple[str, ...], timeout: float = START_TIMEOUT_SECONDS
) -> None:
    """Returns when all these services are healthy.

    Raises StackUnhealthyError with the last log lines of those that are not, once `timeout` seconds are over.
    """
    began = host.clock.monotonic()
    wanted = set(services)
    hopeless = _restarting_since_now(stack, host)

    def decided() -> bool:
        there = [each for each in containers_of(stack, host) if each.service in wanted]
        return hopeless(there) or {each.service for each in there if each.well} == wanted

    host.clock.wait_until(decided, timeout=timeout, interval=0.5)
    if {each.service for each in containers_of(stack, host) if each.well and each.service in wanted} != wanted:
        raise unhealthy(stack, host, services, host.clock.monotonic() - began)


def wait_until_answering(stack: Stack, host: Host, services: tuple[str, ...], answering: Callable[[], bool]) -> None:
    """Returns when `answering` says that these services answer: Docker asks health checks only every few seconds.

    Raises StackUnhealthyError like wait_until_healthy.
    """
    if answering():
        return
    began, answered, hopeless = host.clock.monotonic(), False, _restarting_since_now(stack, host)

    def decided() -> bool:
        nonlocal answered
        answered = answering()
        return answered or hopeless([each for each in containers_of(stack, host) if each.service in services])

    host.clock.wait_until(decided, timeout=START_TIMEOUT_SECONDS, interval=0.2)
    if not answered:
        raise unhealthy(stack, host, services, host.clock.monotonic() - began)


def _restarting_since_now(stack: Stack, host: Host) -> Callable[[list[Container]], bool]:
    # A container keeps its count of restarts for life: those of an earlier trouble say nothing about this start.
    earlier = {each.id: each.restarts for each in containers_of(stack, host)}
    return lambda there: any(each.restarts - earlier.get(each.id, 0) >= HOPELESS_RESTARTS for each in there)


def unhealthy(stack: Stack, host: Host, services: tuple[str, ...], timeout: float) -> StackUnhealthyError:
    """The error for services that did not become healthy, with what they said last."""
    by_service = {each.service: each for each in containers_of(stack, host)}
    details: list[str] = []
    for service in services:
        container = by_service.get(service)
        if container and container.well:
            continue
        state = (
            f"{container.state}, {container.health or 'no health'}, {container.restarts} restarts"
            if container
            else "no container"
        )
        details.append(f"{service}: {state}")
        details += [f"  {line}" for line in last_log_lines(stack, host, service)]
    remedy = "Type 'invoke logs --service NAME' for more, 'invoke doctor' for causes. Data was not touched."
    return StackUnhealthyError(f"Not healthy after {timeout:.0f} s", details=tuple(details), remedy=remedy)


def last_log_lines(stack: Stack, host: Host, service: str) -> list[str]:
    """The last lines a service logged, secrets masked."""
    text = host.processes.try_run(compose.logs(stack, host.compose, service, tail=LAST_LOG_LINES)).stdout
    return host.processes.mask(text).splitlines()[-LAST_LOG_LINES:]
