"""Tells the operator what goes on, and asks what only a person can answer."""

from __future__ import annotations

import getpass
import sys
from typing import TextIO

from rich.console import Console
from rich.status import Status as Spinner
from rich.text import Text

from chatwoot_ops.adapters.clock import Clock

_PLAIN_WIDTH = 160


def console_of(stream: TextIO) -> Console:
    """A console that knows whether a person looks at this stream."""
    terminal = stream.isatty()
    width = None if terminal else _PLAIN_WIDTH
    # Names, addresses and log lines are text: a bracket in them is no markup.
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, soft_wrap=not terminal)


class ConsoleReporter:
    """Tells what goes on: a spinner on a terminal, and a line with its time when a step is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._console = console_of(sys.stderr)
        self._spinner: Spinner | None = None
        self._step, self._began = "", 0.0

    def step(self, text: str) -> None:
        """Ends the step before and begins this one."""
        self.finish()
        self._step, self._began = text, self._clock.monotonic()
        if self._console.is_terminal:
            self._spinner = self._console.status(Text(text))
            self._spinner.start()

    def finish(self) -> None:
        """Ends the last step."""
        if self._spinner:
            self._spinner.stop()
            self._spinner = None
        if self._step:
            seconds = self._clock.monotonic() - self._began
            self._console.print(Text(f"{self._step} ({seconds:.1f} s)"))
        self._step = ""

    def note(self, text: str) -> None:
        """A line that is no step."""
        self._console.print(Text(f"  {text}"))

    def confirm(self, question: str) -> bool | None:
        """Yes only for "yes", typed in full at a terminal."""
        answer = self.ask(f"{question} Type yes to confirm")
        return None if answer is None else answer.strip().lower() == "yes"

    def ask(self, question: str, *, secret: bool = False) -> str | None:
        """What is typed at the terminal; None where there is none."""
        self.finish()
        if not sys.stdin.isatty():
            return None
        return getpass.getpass(f"{question}: ") if secret else input(f"{question}: ")
