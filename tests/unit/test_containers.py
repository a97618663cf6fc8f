"""Restarts are a fault while they go on, not for as long as the container exists."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from chatwoot_ops.operations.containers import Container, keeps_ending

NOW = SimpleNamespace(clock=SimpleNamespace(now=lambda: datetime(2026, 1, 1, 12, 0, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("restarts", "started", "fault"),
    [
        (3, "2026-01-01T11:59:59.123456789Z", False),
        (4, "2026-01-01T11:59:59.123456789Z", True),
        (4, "2026-01-01T11:50:01Z", True),
        (4, "2026-01-01T11:49:59Z", False),
        (4, "", True),
    ],
)
def test_a_container_keeps_ending_where_it_ended_often_and_lately(restarts, started, fault):
    state = {"state": "running", "health": "healthy", "exit_code": 0, "out_of_memory": False}
    described = Container("chatwoot-db", "id", image="i", restarts=restarts, started=started, **state)
    assert keeps_ending(described, NOW) is fault
