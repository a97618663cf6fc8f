"""The web asked from inside its own container, where nothing is published and nobody else can reach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.http import Answer, Http
from chatwoot_ops.commands import compose
from chatwoot_ops.model.stack import RAILS, Stack

PORT = 3000


@dataclass(frozen=True, slots=True)
class InsideHttp(Http):
    """GET by the container's BusyBox wget; host and port of the URL are not used.

    It follows a redirect, so the first answer is the one that counts. No secret may be in the headers: they are
    arguments there.
    """

    stack: Stack
    host: Host

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 20) -> Answer:
        """GET; status 0 where nothing answered."""
        lines = tuple(part for name, value in (headers or {}).items() for part in ("--header", f"{name}: {value}"))
        inside = f"http://127.0.0.1:{PORT}{urlsplit(url).path}"
        argv = ("timeout", f"{timeout:.0f}", "wget", "-q", "-S", "-O", "-", *lines, inside)
        purpose = "Asking the web from inside"
        command = compose.execute(self.stack, self.host.compose, RAILS, *argv, purpose=purpose, timeout=timeout + 20)
        finished = self.host.processes.try_run(command)
        return _answer(finished.stdout, finished.stderr)


def _answer(body: str, said: str) -> Answer:
    lines = [line.strip() for line in said.splitlines()]
    heads = [number for number, line in enumerate(lines) if line.startswith("HTTP/")]
    if not heads:
        return Answer(0, error=(lines or ["no answer"])[-1])
    first = lines[heads[0] + 1 : heads[1] if len(heads) > 1 else None]
    headers = {name: value for name, colon, value in (line.partition(": ") for line in first) if colon}
    return Answer(int(lines[heads[0]].split()[1]), body, headers)
