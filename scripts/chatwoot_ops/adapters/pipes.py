"""What goes through a program's pipes: its last lines, its input, and a talk line by line."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO

INTERRUPT_GRACE_SECONDS = 20


class SessionEndedError(Exception):
    """The program at the other end of a session is gone."""


@dataclass(frozen=True, slots=True)
class Session:
    """A running program that answers line by line."""

    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def send(self, text: str) -> None:
        """Writes text to it."""
        try:
            if self.stdin:
                self.stdin.write(text.encode())
                self.stdin.flush()
        except BrokenPipeError as error:
            raise SessionEndedError from error

    def read_line(self) -> str:
        """Its next line, without the line end."""
        line = self.stdout.readline() if self.stdout else b""
        if not line:
            raise SessionEndedError
        return line.decode(errors="replace").rstrip("\n")

    def close(self) -> None:
        """Ends its standard input."""
        if self.stdin:
            self.stdin.close()


class Drain:
    """Reads a pipe in a thread of its own, so that a talkative program never blocks; keeps the last lines."""

    def __init__(self, pipe: IO[bytes] | None) -> None:
        self._lines: deque[str] = deque(maxlen=200)
        self._thread = Thread(target=self._read, args=(pipe,), daemon=True)
        self._thread.start()

    def _read(self, pipe: IO[bytes] | None) -> None:
        for line in pipe or ():
            self._lines.append(line.decode(errors="replace"))
        close(pipe)

    def text(self) -> str:
        """What was read, once the pipe is at its end."""
        self._thread.join(timeout=INTERRUPT_GRACE_SECONDS)
        return "".join(self._lines)


def write_all(pipe: IO[bytes], chunks: Iterable[bytes]) -> None:
    """Writes the chunks and closes the pipe; the program may end first, and its exit code then says why."""
    with suppress(BrokenPipeError):
        for chunk in chunks:
            pipe.write(chunk)
    close(pipe)


def write_beside(pipe: IO[bytes] | None, text: str) -> None:
    """Writes a text in a thread of its own and closes the pipe, while the program's output is read here."""
    if pipe is not None:
        Thread(target=write_all, args=(pipe, (text.encode(errors="surrogateescape"),)), daemon=True).start()


def close(*pipes: IO[bytes] | None) -> None:
    """Closes our ends, also where the program is gone already."""
    for pipe in pipes:
        with suppress(BrokenPipeError):
            if pipe:
                pipe.close()
