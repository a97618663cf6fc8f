"""The machine as operations see it: processes, network, clock, and somebody to tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from chatwoot_ops.adapters.cable import Cable
from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.http import Http
from chatwoot_ops.adapters.machine import Machine
from chatwoot_ops.adapters.processes import Processes
from chatwoot_ops.adapters.remotes import Remotes


class Reporter(Protocol):
    """Tells the operator what goes on and asks what only a person can answer."""

    def step(self, text: str) -> None:
        """A step begins; `text` is a present participle."""

    def note(self, text: str) -> None:
        """Something worth knowing, not a step."""

    def confirm(self, question: str) -> bool | None:
        """The operator's yes or no; None when nobody can answer."""

    def ask(self, question: str, *, secret: bool = False) -> str | None:
        """What the operator types, without echo where it is a secret; None when nobody can answer."""


class Silent:
    """A reporter for when nobody looks."""

    def step(self, text: str) -> None:
        """Says nothing."""

    def note(self, text: str) -> None:
        """Says nothing."""

    def confirm(self, question: str) -> bool | None:  # noqa: ARG002 - a protocol's signature
        """Nobody can answer."""
        return None

    def ask(self, question: str, *, secret: bool = False) -> str | None:  # noqa: ARG002
        """Nobody can answer."""
        return None


@dataclass(frozen=True, slots=True)
class Host:
    """Everything outside this program that an operation may use."""

    compose: Path
    processes: Processes = field(default_factory=Processes)
    http: Http = field(default_factory=Http)
    cable: Cable = field(default_factory=Cable)
    clock: Clock = field(default_factory=Clock)
    machine: Machine = field(default_factory=Machine)
    remotes: Remotes = field(default_factory=Remotes)
    reporter: Reporter = field(default_factory=Silent)

    @contextmanager
    def timed(self) -> Iterator[list[float]]:
        """Hands out a list that holds the seconds spent when the block ends."""
        began, spent = self.clock.monotonic(), [0.0]
        try:
            yield spent
        finally:
            spent[0] = self.clock.monotonic() - began
