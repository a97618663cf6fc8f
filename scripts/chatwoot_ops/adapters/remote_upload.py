"""A file sent in parts, such that an upload that was cut off goes on instead of beginning again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chatwoot_ops.model.remote import part_size


def upload(client: Any, bucket: str, name: str, path: Path) -> int:  # noqa: ANN401 - see remote_store.client_of
    """Sends a file under this name; returns the bytes that went out, without the parts that were there already.

    One part is in memory at a time. Raises what botocore raises; the parts stay at the server then.
    """
    size = part_size(path.stat().st_size)
    where = {"Bucket": bucket, "Key": name}
    with path.open("rb") as file:
        content = file.read(size)
        if len(content) < size:
            client.put_object(**where, Body=content)
            return len(content)
        where["UploadId"], there = _unfinished(client, where) or _begun(client, where)
        sent, number, parts = 0, 0, []
        while content:
            number += 1
            tag = there.get((number, len(content), hashlib.md5(content, usedforsecurity=False).hexdigest()))
            if tag is None:
                tag = client.upload_part(**where, PartNumber=number, Body=content)["ETag"]
                sent += len(content)
            parts.append({"PartNumber": number, "ETag": tag})
            content = file.read(size)
    client.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    return sent


def copied(client: Any, bucket: str, source: str, name: str) -> bool:  # noqa: ANN401
    """Whether the server made a copy of an object of its own; one that cannot, or that has none, says no."""
    try:
        client.copy_object(Bucket=bucket, Key=name, CopySource={"Bucket": bucket, "Key": source})
    except (ClientError, BotoCoreError):
        return False
    return True


_Parts = Mapping[tuple[int, int, str], str]


def _begun(client: Any, where: Mapping[str, str]) -> tuple[str, _Parts]:  # noqa: ANN401
    return str(client.create_multipart_upload(**where)["UploadId"]), {}


def _unfinished(client: Any, where: Mapping[str, str]) -> tuple[str, _Parts] | None:  # noqa: ANN401
    """The newest upload of this name that was never finished, and its parts by number, size and MD5."""
    try:
        found = client.list_multipart_uploads(Bucket=where["Bucket"], Prefix=where["Key"]).get("Uploads") or ()
        mine = [each for each in found if each["Key"] == where["Key"]]
        if not mine:
            return None
        newest = str(max(mine, key=lambda each: each["Initiated"])["UploadId"])
        return newest, _parts(client, {**where, "UploadId": newest})
    except ClientError:
        # A server that cannot list them, or one that has just dropped it: begin again.
        return None


def _parts(client: Any, where: Mapping[str, str]) -> _Parts:  # noqa: ANN401
    found: dict[tuple[int, int, str], str] = {}
    page: dict[str, Any] = {"IsTruncated": True}
    while page.get("IsTruncated"):
        page = client.list_parts(**where, PartNumberMarker=int(page.get("NextPartNumberMarker", 0)))
        for each in page.get("Parts") or ():
            # Most servers tag a part with its MD5; where the tag is another, the part is sent again.
            found[each["PartNumber"], int(each["Size"]), each["ETag"].strip('"')] = each["ETag"]
    return found
