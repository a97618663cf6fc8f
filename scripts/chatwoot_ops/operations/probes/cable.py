"""Live updates: a confirmed subscription, directly and through FRONTEND_URL; the difference names the guilty hop."""

from __future__ import annotations

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.model.check import Check, failed, passed
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.probes.asking import Identity, direct_headers
from chatwoot_ops.operations.probes.web import PUBLIC


def cable(stack: Stack, host: Host, who: Identity) -> list[Check]:
    """Subscribes as the administrator would; the confirmation proves Redis pub/sub, the welcome alone does not."""
    identifier: dict[str, object] = {
        "channel": "RoomChannel",
        "pubsub_token": who.pubsub_token,
        "account_id": who.account,
        "user_id": who.user,
    }
    places: tuple[tuple[str, str, dict[str, str], str], ...] = (
        (
            "directly",
            stack.local_url,
            direct_headers(stack),
            "Type 'invoke logs --service chatwoot-rails' and check Redis",
        ),
        (
            PUBLIC,
            stack.settings["FRONTEND_URL"],
            {},
            "The proxy must pass Upgrade and Connection for /cable",
        ),
    )
    checks = []
    for place, url, headers, remedy in places:
        answer = host.cable.subscribe(f"ws{url.removeprefix('http')}/cable", identifier, headers=headers)
        name = f"live updates, {place}"
        checks.append(passed(name, answer) if answer == "confirmed" else failed(name, answer, remedy))
    return checks
