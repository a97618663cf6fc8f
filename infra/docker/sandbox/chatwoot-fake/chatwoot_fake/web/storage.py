"""Stored files: rows of Active Storage and files under /app/storage (facts 8; recordings/http 103 to 105)."""

import asyncio
import base64
import hashlib
import hmac
import json
import mimetypes
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from chatwoot_fake import environment, tokens
from chatwoot_fake.pool import Row, Session
from chatwoot_fake.release import ROOT
from chatwoot_fake.web import answers
from chatwoot_fake.web.state import POOL

TYPES = ("image", "audio", "video", "file")
LINK_SECONDS = 300


def file_of(key: str) -> Path:
    """`<root>/<key[0,2]>/<key[2,2]>/<key>` (facts 8)."""
    return ROOT / "storage" / key[:2] / key[2:4] / key


async def store(session: Session, message: int, account: int, name: str, content: bytes) -> int:
    """A file, its blob and the attachment of a message; the blob's id, for the job that looks into it."""
    key, kind = tokens.blob_key(), mimetypes.guess_type(name)[0] or "application/octet-stream"
    await asyncio.to_thread(_write, file_of(key), content)
    checksum = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    blob = await session.value(
        "INSERT INTO active_storage_blobs (key, filename, content_type, metadata, byte_size, checksum, service_name,"
        " created_at) VALUES (%s, %s, %s, '{\"identified\":true}', %s, %s, 'local', now()) RETURNING id",
        key,
        name,
        kind,
        len(content),
        checksum,
    )
    family = kind.split("/")[0]
    attachment = await session.value(
        "INSERT INTO attachments (file_type, message_id, account_id, extension, created_at, updated_at)"
        " VALUES (%s, %s, %s, %s, now(), now()) RETURNING id",
        TYPES.index(family if family in TYPES else "file"),
        message,
        account,
        Path(name).suffix.lstrip(".") or None,
    )
    await session.run(
        "INSERT INTO active_storage_attachments (name, record_type, record_id, blob_id, created_at)"
        " VALUES ('file', 'Attachment', %s, %s, now())",
        attachment,
        blob,
    )
    return int(blob)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def of_message(session: Session, message: int) -> list[Row]:
    """The attachments of a message, with signed addresses that need no token."""
    rows = await session.all(
        "SELECT a.*, b.id AS blob, b.filename, b.content_type, b.byte_size, b.metadata FROM attachments a"
        " JOIN active_storage_attachments s ON s.record_type = 'Attachment' AND s.record_id = a.id"
        " JOIN active_storage_blobs b ON b.id = s.blob_id WHERE a.message_id = %s ORDER BY a.id",
        message,
    )
    return [_shown(row) for row in rows]


def _shown(row: Row) -> Row:
    seen = json.loads(row["metadata"] or "{}")
    name, base = row["filename"], f"{environment.frontend_url()}/rails/active_storage"
    signed = sign({"message": row["blob"], "pur": "blob_id"})
    thumb = f"{base}/representations/redirect/{signed}/{sign({'pur': 'variation'})}/{name}"
    return {
        "id": row["id"],
        "message_id": row["message_id"],
        "file_type": TYPES[row["file_type"]],
        "account_id": row["account_id"],
        "extension": row["extension"],
        "content_type": row["content_type"],
        "data_url": f"{base}/blobs/redirect/{signed}/{name}",
        "thumb_url": thumb if row["file_type"] == 0 else "",
        "file_size": row["byte_size"],
        "width": seen.get("width"),
        "height": seen.get("height"),
    }


def sign(body: dict[str, Any]) -> str:
    """`<base64>--<hex>` with SECRET_KEY_BASE: another key, and every address already sent is a 404 (facts 9.2)."""
    text = base64.urlsafe_b64encode(json.dumps(body, separators=(",", ":")).encode()).decode()
    return f"{text}--{_digest(text)}"


def opened(signed: str) -> dict[str, Any] | None:
    """What was signed, or nothing."""
    text, found, digest = signed.rpartition("--")
    if not found or not hmac.compare_digest(digest, _digest(text)):
        return None
    return dict(json.loads(base64.urlsafe_b64decode(text)))


def _digest(text: str) -> str:
    return hmac.new(environment.text("SECRET_KEY_BASE").encode(), text.encode(), "sha1").hexdigest()


async def redirect(request: web.Request) -> web.Response:
    """From the lasting address to one that works for five minutes."""
    found = opened(request.match_info["signed"])
    async with request.app[POOL].session() as session:
        blob = found and await session.one("SELECT * FROM active_storage_blobs WHERE id = %s", found.get("message"))
    if not blob:
        return answers.static_page(404, "Page not found")
    short = sign({"message": blob["key"], "exp": int(time.time()) + LINK_SECONDS, "pur": "blob_key"})
    answer = answers.redirect(request, f"/rails/active_storage/disk/{short}/{blob['filename']}")
    answer.headers["cache-control"] = f"max-age={LINK_SECONDS}, private"
    return answer


async def content(request: web.Request) -> web.Response:
    """The bytes; 404 where the row has no file."""
    found = opened(request.match_info["signed"])
    if not found or found.get("exp", 0) < time.time():
        return answers.static_page(404, "Page not found")
    async with request.app[POOL].session() as session:
        blob = await session.one("SELECT * FROM active_storage_blobs WHERE key = %s", found["message"])
    path = file_of(str(found["message"]))
    if blob is None or not path.exists():
        return answers.static_page(404, "Page not found")
    name, when = blob["filename"], time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(path.stat().st_mtime))
    return web.Response(
        body=await asyncio.to_thread(path.read_bytes),
        headers={
            **answers.STANDARD,
            "content-type": blob["content_type"],
            "cache-control": answers.FRESH,
            "last-modified": when,
            "content-disposition": f"inline; filename=\"{name}\"; filename*=UTF-8''{name}",
        },
    )
