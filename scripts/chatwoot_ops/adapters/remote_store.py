"""A bucket of any S3-compatible server: listed, read, written, removed; every request has time limits and retries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session
from urllib3.exceptions import HTTPError

from chatwoot_ops.adapters.remote_refusals import AbsentError, asked, code_of, said
from chatwoot_ops.adapters.remote_upload import copied, upload
from chatwoot_ops.model.remote import Remote

_CHUNK = 1024 * 1024
_CONNECT_SECONDS, _SILENT_SECONDS, _ATTEMPTS = 10, 60, 5
_TAKEN = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})
_NOT_KNOWN = frozenset({"NotImplemented", "InvalidArgument", "501"})


@dataclass(frozen=True, slots=True)
class RemoteStore:
    """The objects of one bucket. Every method raises CommandFailedError when the server refuses or does not answer."""

    client: Any
    bucket: str
    # How often an object is asked for whose connection breaks.
    readings: int = 4

    def sizes(self, folder: str) -> dict[str, int]:
        """The objects below a folder, by their full name, with their sizes in bytes."""
        found: dict[str, int] = {}
        page: dict[str, Any] = {"IsTruncated": True}
        while page.get("IsTruncated"):
            after = {"ContinuationToken": page["NextContinuationToken"]} if "NextContinuationToken" in page else {}
            with asked(f"listing {self.bucket}/{folder}"):
                page = self.client.list_objects_v2(Bucket=self.bucket, Prefix=_below(folder), **after)
            found |= {each["Key"]: int(each["Size"]) for each in page.get("Contents", ())}
        return found

    def read(self, name: str) -> Iterator[bytes]:
        """An object's content in chunks; a connection that breaks is taken up again where it broke."""
        at, readings = 0, 0
        while True:
            readings += 1
            try:
                for chunk in self._read_from(name, at):
                    at += len(chunk)
                    yield chunk
            # Most of what breaks in the middle is the library's own error, a broken TLS record is still urllib3's.
            except (BotoCoreError, HTTPError) as error:
                if readings == self.readings:
                    raise said(f"reading {name}", error) from error
            else:
                return

    def _read_from(self, name: str, at: int) -> Iterator[bytes]:
        part = {"Range": f"bytes={at}-"} if at else {}
        with asked(f"reading {name}", passing=(BotoCoreError, HTTPError)):
            body = self.client.get_object(Bucket=self.bucket, Key=name, **part)["Body"]
        try:
            while chunk := body.read(_CHUNK):
                yield chunk
        finally:
            body.close()

    def text(self, name: str) -> str | None:
        """A small object as text, None where there is none."""
        try:
            return b"".join(self.read(name)).decode("utf-8", errors="replace")
        except AbsentError:
            return None

    def put_new(self, name: str, content: str) -> bool:
        """Writes a small object unless one of this name is there; whether none was there when it was looked for.

        Who wrote it is to be read back: a server may not know the condition, and an answer may get lost.
        """
        if self.text(name) is not None:
            return False
        if self._put_if_absent(name, content) in _NOT_KNOWN:
            self.put(name, content)
        return True

    def refuses_another(self, name: str, content: str) -> bool:
        """Whether the server itself keeps a second object of a name from replacing the first, tried with its content.

        Servers that do not know the condition say so, or ignore it and write.
        """
        return self._put_if_absent(name, content) in _TAKEN

    def _put_if_absent(self, name: str, content: str) -> str:
        """Why the server did not write: "" where it did."""
        with asked(f"writing {name}"):
            try:
                self.client.put_object(Bucket=self.bucket, Key=name, Body=content.encode(), IfNoneMatch="*")
            except ClientError as error:
                if (code := code_of(error)) in _TAKEN | _NOT_KNOWN:
                    return code
                raise
        return ""

    def put(self, name: str, content: str) -> None:
        """Writes a small object."""
        with asked(f"writing {name}"):
            self.client.put_object(Bucket=self.bucket, Key=name, Body=content.encode())

    def send(self, name: str, path: Path) -> int:
        """Sends a file; one that was cut off goes on from the parts that are there. Returns the bytes that went out."""
        with asked(f"sending {name}"):
            return upload(self.client, self.bucket, name, path)

    def copy(self, source: str, name: str) -> bool:
        """Whether the server copied an object under this name; where it did not, the file is to be sent."""
        return copied(self.client, self.bucket, source, name)

    def remove(self, names: Iterable[str]) -> None:
        """Removes objects in this order; one that is not there is no failure."""
        for name in names:
            with asked(f"removing {name}"):
                self.client.delete_object(Bucket=self.bucket, Key=name)

    def abandon_uploads(self, folder: str) -> int:
        """Ends the uploads below a folder that were cut off and never finished; returns how many there were."""
        with asked(f"ending unfinished uploads below {folder}"):
            found = self.client.list_multipart_uploads(Bucket=self.bucket, Prefix=_below(folder)).get("Uploads") or ()
            for each in found:
                self.client.abort_multipart_upload(Bucket=self.bucket, Key=each["Key"], UploadId=each["UploadId"])
        return len(found)


def client_of(
    remote: Remote, *, connect: float = _CONNECT_SECONDS, silent: float = _SILENT_SECONDS, attempts: int = _ATTEMPTS
) -> Any:  # noqa: ANN401 - botocore makes its classes at run time
    """A client that depends on these settings alone, not on the AWS files and variables of whoever runs this.

    `connect` and `silent` are seconds until a server that does not answer, or stops answering, is given up.
    """
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if remote.endpoint else "auto"},
        # Servers that are only compatible refuse the checksums that Amazon's own takes; the body is signed in any case.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        ignore_configured_endpoint_urls=True,
        connect_timeout=connect,
        read_timeout=silent,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Proxy variables are for the way out; a server spoken to without TLS is near.
        proxies={} if remote.endpoint.startswith("http://") else None,
    )
    session = Session({"profile": (None, None, None, None), "config_file": (None, None, "", None)})
    return session.create_client(
        "s3",
        region_name=remote.region or "us-east-1",
        endpoint_url=remote.endpoint or None,
        aws_access_key_id=remote.access_key,
        aws_secret_access_key=remote.secret_key,
        config=config,
    )


def _below(folder: str) -> str:
    return f"{folder}/" if folder else ""
