"""The only place that starts processes: argv only, secrets masked, exit codes read in one place."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from json import JSONDecodeError

from chatwoot_ops.adapters import pipes
from chatwoot_ops.adapters.child import Started, die_with_parent, environment_of, uninterrupted
from chatwoot_ops.adapters.pipes import INTERRUPT_GRACE_SECONDS, Drain, Session, SessionEndedError
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.command import Command, Finished

LAST_LINES = 15
CHUNK_BYTES = 1024 * 1024
_MASK = "********"
_SHORTEST_MASKED = 6


@dataclass(slots=True)
class Processes:
    """Runs commands. `secrets` are values that no text it returns in an error may hold."""

    secrets: tuple[str, ...] = field(default=(), repr=False)

    def mask(self, text: str) -> str:
        """The text with every known secret replaced by stars."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_MASKED:
                text = text.replace(secret, _MASK)
        return text

    def find(self, program: str) -> bool:
        """Whether a program of this name is on PATH."""
        return shutil.which(program) is not None

    def run(self, command: Command) -> Finished:
        """Runs a command to its end.

        Raises CommandFailedError when it exits with another code than 0, cannot be started or runs out of time.
        """
        finished = self.try_run(command)
        if finished.code != 0:
            raise self._failure(command, f"{command.argv[0].rpartition('/')[2]} exited with {finished.code}", finished)
        return finished

    def try_run(self, command: Command) -> Finished:
        """Runs a command to its end and hands back its exit code; raises only when it cannot start or never ends."""
        with self._start(command) as child:
            try:
                out, err = child.communicate(command.stdin, timeout=command.timeout)
            except subprocess.TimeoutExpired as error:
                self._end(child)
                raise self._failure(command, f"no end after {command.timeout:.0f} s") from error
            except BaseException:
                self._end(child)
                raise
        return Finished(child.returncode, out or "", err or "")

    def stream(self, command: Command, each_line: Callable[[str], None]) -> int:
        """Runs a command and hands over each line of its output, masked, as it comes; returns its exit code."""
        with self._start(command, merge=True) as child:
            try:
                for line in child.stdout or ():
                    each_line(self.mask(line.rstrip("\n")))
                return child.wait()
            except BaseException:
                self._end(child)
                raise

    def save_output(self, command: Command, sink: Callable[[bytes], object]) -> str:
        """Hands standard output over in chunks as it comes, so that memory stays flat; returns its last other words.

        Raises CommandFailedError like run.
        """
        child = self._start_binary(command, subprocess.DEVNULL if command.stdin is None else subprocess.PIPE)
        errors = Drain(child.stderr)
        pipes.write_beside(child.stdin, command.stdin or "")
        try:
            while chunk := child.stdout.read(CHUNK_BYTES) if child.stdout else b"":
                sink(chunk)
            child.wait(timeout=command.timeout)
        except BaseException:
            self._kill(child)
            raise
        self._require_end(command, child, errors)
        return errors.text()

    def feed(self, command: Command, chunks: Iterable[bytes]) -> str:
        """Feeds standard input chunk by chunk; returns standard output.

        Raises CommandFailedError like run.
        """
        child = self._start_binary(command, subprocess.PIPE)
        errors, output = Drain(child.stderr), Drain(child.stdout)
        try:
            if child.stdin:
                pipes.write_all(child.stdin, chunks)
            child.wait(timeout=command.timeout)
        except BaseException:
            self._kill(child)
            raise
        self._require_end(command, child, errors)
        return output.text()

    @contextmanager
    def session(self, command: Command) -> Iterator[Session]:
        """A program that is talked to line by line; it ends with the block.

        Raises CommandFailedError when it ended by itself, or badly, or with an answer that was cut off.
        """
        child = self._start_binary(command, subprocess.PIPE)
        errors = Drain(child.stderr)
        try:
            yield Session(child.stdin, child.stdout)
            child.wait(timeout=INTERRUPT_GRACE_SECONDS)
        except (SessionEndedError, JSONDecodeError):
            self._kill(child, gently=True)
            self._require_end(command, child, errors)
            raise self._failure(command, "it ended too early, or its answer was cut off") from None
        except BaseException:
            self._kill(child)
            raise
        finally:
            pipes.close(child.stdin, child.stdout)
        self._require_end(command, child, errors)

    def _require_end(self, command: Command, child: subprocess.Popen[bytes], errors: Drain) -> None:
        if child.returncode != 0:
            finished = Finished(child.returncode, "", errors.text())
            raise self._failure(
                command, f"{command.argv[0].rpartition('/')[2]} exited with {child.returncode}", finished
            )

    def _begin(self, command: Command, start: Callable[[], Started]) -> Started:
        try:
            return uninterrupted(start)
        except OSError as error:
            raise self._failure(command, f"{command.argv[0]}: {error.strerror}") from error

    def _start_binary(self, command: Command, stdin: int) -> subprocess.Popen[bytes]:
        return self._begin(
            command,
            lambda: subprocess.Popen(
                command.argv,
                env=environment_of(command),
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - as below
            ),
        )

    @staticmethod
    def _kill(child: subprocess.Popen[bytes], *, gently: bool = False) -> None:
        """Gently, it may end by itself first: its own exit code and last words say more than a signal's."""
        pipes.close(child.stdin) if gently else child.terminate()
        try:
            child.wait(timeout=INTERRUPT_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _start(self, command: Command, *, merge: bool = False) -> subprocess.Popen[str]:
        pipe, nothing = (None, None) if command.interactive else (subprocess.PIPE, subprocess.DEVNULL)
        return self._begin(
            command,
            lambda: subprocess.Popen(
                command.argv,
                env=environment_of(command),
                stdin=nothing if command.stdin is None else subprocess.PIPE,
                stdout=pipe,
                stderr=subprocess.STDOUT if merge else pipe,
                text=True,
                errors="replace",
                preexec_fn=die_with_parent,  # noqa: PLW1509 - single-threaded here, and there is no other way
            ),
        )

    @staticmethod
    def _end(child: subprocess.Popen[str]) -> None:
        child.send_signal(signal.SIGINT)
        try:
            child.communicate(timeout=INTERRUPT_GRACE_SECONDS)
        except (subprocess.TimeoutExpired, ValueError):
            child.kill()
            child.wait()

    def _failure(self, command: Command, why: str, finished: Finished | None = None) -> CommandFailedError:
        text = f"{finished.stdout}\n{finished.stderr}" if finished else ""
        lines = [line for line in self.mask(text).splitlines() if line.strip()]
        purpose = command.purpose[0].lower() + command.purpose[1:]
        return CommandFailedError(f"Failed while {purpose}: {why}", details=tuple(lines[-LAST_LINES:]))
