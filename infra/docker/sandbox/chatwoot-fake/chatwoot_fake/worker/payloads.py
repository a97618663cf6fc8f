"""What a webhook or a frame says."""

from typing import Any

from chatwoot_fake.pool import Session

Ids = dict[str, Any]


async def webhook(_session: Session, _kind: str, _ids: Ids) -> dict[str, Any] | None:
    """Nothing yet."""
    return None


async def frame(_session: Session, _kind: str, _ids: Ids) -> dict[str, Any] | None:
    """Nothing yet."""
    return None
