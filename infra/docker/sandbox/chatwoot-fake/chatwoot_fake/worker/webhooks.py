"""Delivery of webhooks."""

from typing import Any

from chatwoot_fake.worker.state import Worker


async def deliver(_worker: Worker, _arguments: list[Any]) -> None:
    """Nothing yet."""
