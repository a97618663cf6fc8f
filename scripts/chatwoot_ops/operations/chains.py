"""A cluster that was swapped in has no WAL archive behind it: a new chain and its base backup begin at once."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.cluster import PHYSICAL
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import make_set
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.wal import read_chains, server_side

# The receiver tries to connect every second, and a slot takes a checkpoint at most.
NEW_CHAIN_TIMEOUT_SECONDS = 90
NOTE = "base backup of a new WAL chain"
_BASE = "the new WAL chain has no base backup: type 'invoke backup --kind physical'"


def begin_again(stack: Stack, host: Host, change: Change) -> None:
    """Waits until the new cluster's chain is being written and takes its base backup; says so in the result.

    Where that fails the restore itself stands: the result says what is missing and what to type.
    """
    if not stack.archives:
        return
    change.step("new-chain", "Waiting for the new WAL chain")
    try:
        found: list[str] = []
        host.clock.wait_until(lambda: _receiving(stack, host, found), timeout=NEW_CHAIN_TIMEOUT_SECONDS)
        if not found:
            change.made(f"warning: no WAL is archived yet, and {_BASE}; type 'invoke doctor' first")
            return
        made = make_set(stack, host, change, note=NOTE, kind=PHYSICAL)
        change.made(f"A new WAL chain has begun, {found[0]}, with its base backup {made.set.manifest.name}.")
    except OpsError as error:
        change.made(f"warning: {_BASE}: {error.message}")


def _receiving(stack: Stack, host: Host, found: list[str]) -> bool:
    try:
        server = server_side(stack, host)
        chains = read_chains(stack, host)
    except OpsError:
        return False
    receiving = {each.slot for each in server.receivers}
    own = (each for each in chains if (each.system, each.cluster) == (server.system, server.cluster))
    found.extend(chain.name for chain in own if chain.name in receiving)
    return bool(found)
