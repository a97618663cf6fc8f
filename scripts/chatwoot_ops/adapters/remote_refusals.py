"""What a server that keeps off-site copies refuses, said with its own code and with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from chatwoot_ops.errors import CommandFailedError

_ABSENT = frozenset({"NoSuchKey", "404"})
_REMEDIES = {
    "InvalidAccessKeyId": "Check BACKUP_REMOTE_ACCESS_KEY.",
    "SignatureDoesNotMatch": "Check BACKUP_REMOTE_SECRET_KEY and BACKUP_REMOTE_REGION.",
    "AccessDenied": "The key may need more rights on the bucket: docs/how-to/off-site.md lists them.",
    "NoSuchBucket": "Make the bucket, or correct BACKUP_REMOTE.",
    "RequestTimeTooSkewed": "Set this machine's clock.",
    "InternalError": "The server itself failed, its disk may be full. Run this again later: it goes on.",
    "AuthorizationHeaderMalformed": "Check BACKUP_REMOTE_REGION.",
}
_ELSE = "Check BACKUP_REMOTE_ENDPOINT and the network, then run this again: it goes on where it stopped."


class AbsentError(CommandFailedError):
    """There is no object of this name."""


@contextmanager
def asked(what: str, *, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """A refusal or a silence, said as what it is; `passing` goes through as it came."""
    try:
        yield
    except ClientError as error:
        raise said(what, error) from error
    except passing:
        raise
    except BotoCoreError as error:
        raise said(what, error) from error


def code_of(error: ClientError) -> str:
    """The server's own code for its refusal."""
    return str(error.response.get("Error", {}).get("Code", ""))


def said(what: str, error: Exception) -> CommandFailedError:
    """A refusal or a broken connection as the error that an operator sees."""
    if not isinstance(error, ClientError):
        return CommandFailedError(f"The remote failed at {what}: {type(error).__name__}", remedy=_ELSE)
    code, told = code_of(error), str(error.response.get("Error", {}).get("Message", ""))
    kind = AbsentError if code in _ABSENT else CommandFailedError
    return kind(
        f"The remote refused {what}: {code}", details=(told,) if told else (), remedy=_REMEDIES.get(code, _ELSE)
    )
