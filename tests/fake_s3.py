"""A bucket in memory that answers as S3 does, and can be told to refuse, break, lie or cut short."""

from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError, IncompleteReadError

from chatwoot_ops.adapters.remote_store import RemoteStore
from killed import KilledError

BEGAN = datetime(2026, 11, 24, tzinfo=UTC)


def refusal(code, message="said the server"):
    return ClientError({"Error": {"Code": code, "Message": message}}, "Asked")


def failing(error):
    """A fault that is this error."""

    def act(_):
        raise error

    return act


class Body(io.BytesIO):
    """What is read of an object; a connection that `breaks_at` so many bytes is gone then."""

    breaks_at = -1

    def read(self, size=-1):
        if 0 <= self.breaks_at <= self.tell():
            raise IncompleteReadError(actual_bytes=self.tell(), expected_bytes=len(self.getvalue()))
        return super().read(min(size, self.breaks_at - self.tell()) if self.breaks_at > self.tell() else size)


class FakeS3:
    """`faults` maps an operation to functions that see its arguments first and may raise or change what happens."""

    def __init__(self):
        self.objects, self.uploads, self.asked = {}, {}, []
        self.faults = {}
        self.breaks = []
        self.page = 1000

    def fault(self, operation, act):
        self.faults[operation] = act

    @contextmanager
    def killed_at(self, operation, ending):
        """The process is gone when it asks this of an object whose name ends so."""

        def kill(given):
            if given["Key"].endswith(ending):
                raise KilledError

        self.fault(operation, kill)
        with pytest.raises(KilledError):
            yield
        self.faults.clear()

    def _ask(self, operation, given):
        self.asked.append((operation, given))
        if operation in self.faults:
            self.faults[operation](given)

    def did(self, operation):
        return [given for name, given in self.asked if name == operation]

    def list_objects_v2(self, **given):
        self._ask("list_objects_v2", given)
        names = sorted(name for name in self.objects if name.startswith(given["Prefix"]))
        names = [name for name in names if name > given.get("ContinuationToken", "")]
        page = names[: self.page]
        answer = {"Contents": [{"Key": name, "Size": len(self.objects[name])} for name in page]}
        return {**answer, "IsTruncated": len(names) > len(page), "NextContinuationToken": page[-1] if page else ""}

    def get_object(self, **given):
        self._ask("get_object", given)
        if given["Key"] not in self.objects:
            raise refusal("NoSuchKey")
        start = int(given.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        body = Body(self.objects[given["Key"]][start:])
        body.breaks_at = self.breaks.pop(0) if self.breaks else -1
        return {"Body": body}

    def put_object(self, **given):
        kept = {**given}
        self._ask("put_object", kept)
        if given.get("IfNoneMatch") and given["Key"] in self.objects:
            raise refusal("PreconditionFailed")
        if not kept.get("lost"):
            self.objects[given["Key"]] = kept["Body"]

    def copy_object(self, **given):
        self._ask("copy_object", given)
        source = given["CopySource"]["Key"]
        if source not in self.objects:
            raise refusal("NoSuchKey")
        self.objects[given["Key"]] = self.objects[source]

    def delete_object(self, **given):
        self._ask("delete_object", given)
        self.objects.pop(given["Key"], None)

    def create_multipart_upload(self, **given):
        self._ask("create_multipart_upload", given)
        number = f"upload-{len(self.uploads)}"
        self.uploads[number] = {"Key": given["Key"], "Initiated": BEGAN + timedelta(len(self.uploads)), "parts": {}}
        return {"UploadId": number}

    def upload_part(self, **given):
        self._ask("upload_part", given)
        self.uploads[given["UploadId"]]["parts"][given["PartNumber"]] = given["Body"]
        return {"ETag": tag(given["Body"])}

    def list_parts(self, **given):
        self._ask("list_parts", given)
        after = given["PartNumberMarker"]
        parts = sorted(each for each in self.uploads[given["UploadId"]]["parts"].items() if each[0] > after)
        page = [{"PartNumber": number, "Size": len(body), "ETag": tag(body)} for number, body in parts[: self.page]]
        more = len(parts) > len(page)
        return {"Parts": page, "IsTruncated": more, "NextPartNumberMarker": page[-1]["PartNumber"] if page else 0}

    def list_multipart_uploads(self, **given):
        self._ask("list_multipart_uploads", given)
        found = self.uploads.items()
        return {"Uploads": [{"UploadId": k, **each} for k, each in found if each["Key"].startswith(given["Prefix"])]}

    def complete_multipart_upload(self, **given):
        self._ask("complete_multipart_upload", given)
        parts = self.uploads.pop(given["UploadId"])["parts"]
        wanted = given["MultipartUpload"]["Parts"]
        if [tag(parts[each["PartNumber"]]) for each in wanted] != [each["ETag"] for each in wanted]:
            raise refusal("InvalidPart")
        self.objects[given["Key"]] = b"".join(parts[each["PartNumber"]] for each in wanted)

    def abort_multipart_upload(self, **given):
        self._ask("abort_multipart_upload", given)
        self.uploads.pop(given["UploadId"])


def tag(body):
    return f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


class FakeRemotes:
    """Opens the one bucket that there is, whatever the settings say; `opened` has what they said."""

    def __init__(self):
        self.client = FakeS3()
        self.opened = []

    def open(self, remote, *, quick=False):
        self.quick = quick
        self.opened.append(remote)
        return RemoteStore(self.client, remote.bucket)
