"""Opens the bucket that the settings name; the library for it is loaded only then, to keep other tasks quick."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatwoot_ops.model.remote import Remote

if TYPE_CHECKING:
    from chatwoot_ops.adapters.remote_store import RemoteStore


class Remotes:
    """The buckets that there are."""

    def open(self, remote: Remote) -> RemoteStore:
        """The bucket, with nothing asked of it yet."""
        from chatwoot_ops.adapters.remote_store import RemoteStore, client_of  # noqa: PLC0415 - see above

        return RemoteStore(client_of(remote), remote.bucket)
