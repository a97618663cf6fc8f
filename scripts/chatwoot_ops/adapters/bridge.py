"""Between those who write and those who read: a pipe, with one of the two in a thread of its own; memory stays flat."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from threading import Thread
from typing import IO, Generic, Self, TypeVar

_CHUNK = 1024 * 1024
Result = TypeVar("Result")


class Bridge(Generic[Result]):
    """Feeds a function that reads a file: what is written here it finds there.

    Once the function has ended, well or not, the rest is taken and dropped: a writer is never left waiting.
    """

    def __init__(self, read: Callable[[IO[bytes]], Result]) -> None:
        reading, writing = os.pipe()
        self._writing = os.fdopen(writing, "wb", buffering=0)
        self._results: list[Result] = []
        self._errors: list[BaseException] = []
        self._thread = Thread(target=self._run, args=(os.fdopen(reading, "rb", _CHUNK), read), daemon=True)
        self._thread.start()

    def _run(self, file: IO[bytes], read: Callable[[IO[bytes]], Result]) -> None:
        with file:
            try:
                self._results.append(read(file))
            except BaseException as error:  # noqa: BLE001 - raised again where somebody waits for the result
                self._errors.append(error)
            while file.read(_CHUNK):
                pass

    def write(self, data: bytes) -> int:
        """Hands data on, and waits while the reader is busy; raises what the function raised."""
        if self._errors:
            raise self._errors[0]
        rest = memoryview(data)
        while rest:
            rest = rest[self._writing.write(rest) :]
        return len(data)

    def result(self) -> Result:
        """What the function made of it all, once it was told that this was the end; raises what it raised."""
        self.close()
        if self._errors:
            raise self._errors[0]
        return self._results[0]

    def close(self) -> None:
        """Says that this was the end, and waits for the function."""
        self._writing.close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pulled(write: Callable[[IO[bytes]], object]) -> Generator[bytes, None, None]:
    """What a function writes into a file, chunk by chunk; it is stopped where nobody wants more.

    Raises what the function raised.
    """
    reading, writing = os.pipe()
    errors: list[BaseException] = []

    def run() -> None:
        try:
            with os.fdopen(writing, "wb", _CHUNK) as file:
                write(file)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        with os.fdopen(reading, "rb", _CHUNK) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    finally:
        thread.join()
    if errors:
        raise errors[0]
