"""Looks into a stored file: the worker needs the same storage volume as the web (facts 8)."""

import asyncio
import json
import struct
from typing import Any

from chatwoot_fake.web.storage import file_of
from chatwoot_fake.worker.state import Worker

PNG = b"\x89PNG\r\n\x1a\n"


async def analyze(worker: Worker, arguments: list[Any]) -> None:
    """Notes width and height of a picture; fails where the web's file is not there."""
    blob = int(arguments[0]["_aj_globalid"].rsplit("/", 1)[1])
    async with worker.pool.session() as session:
        key = await session.value("SELECT key FROM active_storage_blobs WHERE id = %s", blob)
        head = (await asyncio.to_thread(file_of(key).read_bytes))[:24]
        found: dict[str, Any] = {"identified": True}
        if head.startswith(PNG):
            found["width"], found["height"] = struct.unpack(">II", head[16:24])
        text = json.dumps({**found, "analyzed": True}, separators=(",", ":"))
        await session.run("UPDATE active_storage_blobs SET metadata = %s WHERE id = %s", text, blob)
