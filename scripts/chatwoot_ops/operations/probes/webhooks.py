"""Whether the worker could deliver webhooks to KGC: resolved and judged inside the worker, where delivery happens."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import compose
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.stack import SIDEKIQ, Stack

NAME = "webhook to KGC"
_ALLOW = "SAFE_FETCH_ALLOW_PRIVATE_NETWORK"
_PORTS = {"http": 80, "https": 443}


def webhooks(stack: Stack, host: Host) -> Check:
    """Resolves, classifies and connects to KGC_WEBHOOK_URL from inside the worker; sends nothing.

    Chatwoot drops a delivery to a private address without the flag, with one log line and no retry (facts, 4.5).
    """
    url = stack.settings["KGC_WEBHOOK_URL"]
    if not url:
        return Check(NAME, Outcome.NOT_CONFIGURED, "KGC_WEBHOOK_URL is empty")
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    found = _inside(stack, host, "getent", "ahosts", name)
    addresses = sorted({line.split()[0] for line in found.splitlines() if line.strip()})
    if not addresses:
        remedy = "Use host.docker.internal or a container's name on the shared network"
        return failed(NAME, f"the worker cannot resolve {name}", remedy)
    private = [address for address in addresses if not ipaddress.ip_address(address).is_global]
    if private and stack.settings[_ALLOW] != "true":
        seen = f"{name} is private ({private[0]}) and Chatwoot refuses it"
        return failed(NAME, seen, f"Set {_ALLOW}=true in .env, then 'invoke up'")
    if not _listens(stack, host, addresses[0], port):
        seen = f"nothing listens at {name} ({addresses[0]}) port {port}"
        return failed(NAME, seen, "Start the receiver, or correct KGC_WEBHOOK_URL")
    return _reached(f"{name} port {port} is {'private and allowed' if private else 'public'} and listens", addresses)


def _listens(stack: Stack, host: Host, address: str, port: int) -> bool:
    script = 'nc -w 5 "$0" "$1" </dev/null >/dev/null 2>&1 && echo open'
    return "open" in _inside(stack, host, "sh", "-c", script, address, str(port))


def _reached(seen: str, addresses: list[str]) -> Check:
    if len(addresses) > 1:
        text = f"{seen}; {len(addresses)} addresses, Chatwoot picks one at random"
        return warned(NAME, text, "Make the receiver listen on all of them")
    return passed(NAME, seen)


def _inside(stack: Stack, host: Host, *argv: str) -> str:
    command = compose.execute(stack, host.compose, SIDEKIQ, *argv, purpose="Looking at KGC from the worker")
    return host.processes.try_run(command).stdout
