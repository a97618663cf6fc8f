"""Installation configs through their cache in Redis (facts 3: a day long; it outlives a restored database)."""

import json
import re
from typing import Any

import redis.asyncio

from chatwoot_fake import keys
from chatwoot_fake.pool import Session


async def value(client: redis.asyncio.Redis, session: Session, name: str) -> Any:  # noqa: ANN401
    """The value from the cache, else from its row and then cached."""
    key = keys.GLOBAL_CONFIG + name
    cached = await client.get(key)
    if cached is not None:
        return json.loads(cached)["value"]
    found = parse(await session.value("SELECT serialized_value FROM installation_configs WHERE name = %s", name))
    await client.set(key, json.dumps({"value": found}), ex=keys.GLOBAL_CONFIG_SECONDS)
    return found


def parse(serialized: object) -> Any:  # noqa: ANN401
    """The scalar inside the YAML text of a row; lists are not needed and come back empty."""
    match = re.search(r"^value:[ ]?(.*)$", str(serialized or ""), re.MULTILINE)
    word = match.group(1).strip() if match else ""
    known: dict[str, Any] = {"": None, "true": True, "false": False, "''": ""}
    if word in known:
        return known[word]
    return int(word) if word.isdigit() else word.strip("'\"")
