"""Opens the bucket that the settings name; the library for it is loaded only then, to keep other tasks quick."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from chatwoot_ops.model.remote import Remote

if TYPE_CHECKING:
    from chatwoot_ops.adapters.remote_store import RemoteStore

# Seconds, and no second attempt: somebody waits for the answer.
QUICK: Mapping[str, int] = {"connect": 3, "silent": 5, "attempts": 1}


class Remotes:
    """The buckets that there are."""

    def open(self, remote: Remote, *, quick: bool = False) -> RemoteStore:
        """The bucket, with nothing asked of it yet; with `quick` a server that is silent is given up at once."""
        from chatwoot_ops.adapters.remote_store import RemoteStore, client_of  # noqa: PLC0415 - see above

        if quick:
            return RemoteStore(client_of(remote, **QUICK), remote.bucket, readings=1)
        return RemoteStore(client_of(remote), remote.bucket)
