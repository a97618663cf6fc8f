"""What the parts of one worker process share."""

import asyncio
import os
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import Any

import redis.asyncio as redis_asyncio

from chatwoot_fake import environment
from chatwoot_fake.pool import Pool

# Strictly ordered, no weights (facts 3).
QUEUES = (
    "critical",
    "high",
    "medium",
    "default",
    "mailers",
    "action_mailbox_routing",
    "low",
    "scheduled_jobs",
    "deferred",
    "purgable",
    "housekeeping",
    "async_database_migration",
    "bulk_reindex_low",
    "active_storage_analysis",
    "active_storage_purge",
    "action_mailbox_incineration",
)


@dataclass
class Worker:
    """Identity, connections and counters."""

    redis: redis_asyncio.Redis
    blocking: redis_asyncio.Redis
    pool: Pool
    hostname: str = field(default_factory=socket.gethostname)
    nonce: str = field(default_factory=lambda: secrets.token_hex(6))
    started: float = field(default_factory=time.time)
    quiet: bool = False
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    processed: int = 0
    failed: int = 0
    running: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """`<hostname>:<pid>:<hex>` (facts 3)."""
        return f"{self.hostname}:{os.getpid()}:{self.nonce}"

    @property
    def concurrency(self) -> int:
        """SIDEKIQ_CONCURRENCY, 10 by default (facts 1.1)."""
        return int(environment.number("SIDEKIQ_CONCURRENCY", 10))

    @property
    def alive_queue(self) -> str:
        """The queue of the liveness job, this host's own."""
        return f"sidekiq-alive-{self.hostname}"

    @property
    def queues(self) -> list[str]:
        """All queues in the order in which they are asked."""
        return [*QUEUES, self.alive_queue]
