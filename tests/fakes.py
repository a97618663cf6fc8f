"""Stand-ins for the machine: they do what a test scripted, and refuse what it did not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from json import JSONDecodeError
from pathlib import Path

from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.adapters.pipes import SessionEndedError
from chatwoot_ops.adapters.processes import Processes
from chatwoot_ops.model.command import Command, Finished
from fake_s3 import FakeRemotes

NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
COMPOSE = Path("/x/docker-compose")
GIGABYTE = 1024**3
SPOKEN = "(a session)"
Reply = Callable[[Command], Finished]


def shown(command: Command) -> str:
    """The command line as one string; Compose's own options, the same in every call, shown as `compose`."""
    argv = command.argv
    if argv[0].endswith("docker-compose"):
        verb = argv.index("-f")
        while argv[verb] == "-f":
            verb += 2
        return " ".join(("compose", *argv[verb:]))
    return " ".join(argv)


def _reply(stdout, code, stderr) -> Reply:
    return lambda _: Finished(code, stdout, stderr)


class FakeSession:
    """A program that is talked to line by line: answers what was scripted, then it is gone."""

    def __init__(self, lines):
        self.lines, self.sent, self.closed = list(lines), [], False

    def send(self, text):
        self.sent.append(text)

    def read_line(self):
        if not self.lines:
            raise SessionEndedError
        line = self.lines.pop(0)
        return line() if callable(line) else line

    def close(self):
        self.closed = True


def _written(finished, command):
    """What a program in a container would say goes into the file of a mounted folder that it was told to write."""
    into = next((each.partition("=/set/")[2] for each in command.argv if each.startswith("--file=/set/")), "")
    folder = next((each.removesuffix(":/set") for each in command.argv if each.endswith(":/set")), "")
    if not (into and folder and finished.code == 0):
        return finished
    (Path(folder) / into).write_text(finished.stdout)
    return replace(finished, stdout="")


class FakeProcesses(Processes):
    """Answers scripted commands; one that no script expects fails the test."""

    def __init__(self):
        super().__init__()
        self.ran: list[Command] = []
        self.sessions: list[FakeSession] = []
        self.programs = {"docker"}
        self._scripts: list[tuple[str, list[Reply]]] = []
        self._talkers: dict[str, Callable[[], FakeSession]] = {}

    def talk(self, part, make):
        """Each session whose command line holds `part` is one that `make` makes."""
        self._talkers[part] = make

    def on(self, part, stdout="", *, code=0, stderr=""):
        """The next answer to each command line that holds `part`; the script added last is asked first."""
        return self.on_call(part, _reply(stdout, code, stderr))

    def on_call(self, part, *replies: Reply):
        """The same with functions; they answer in order, the last one for ever."""
        self._scripts.insert(0, (part, list(replies)))
        return self

    def in_turn(self, part, *outputs):
        """A different output each time, the last one for ever."""
        return self.on_call(part, *(_reply(output, 0, "") for output in outputs))

    @property
    def lines(self):
        return [shown(command) for command in self.ran]

    def ran_with(self, part):
        return [command for command in self.ran if part in shown(command)]

    def find(self, program):
        return program in self.programs

    def try_run(self, command):
        line = f"{shown(command)}\n{command.stdin or ''}"
        self.ran.append(command)
        for part, replies in self._scripts:
            if part in line:
                return _written((replies.pop(0) if len(replies) > 1 else replies[0])(command), command)
        raise AssertionError(f"No script for this command: {line}")

    def stream(self, command, each_line):
        finished = self.try_run(command)
        for line in finished.stdout.splitlines():
            each_line(self.mask(line))
        return finished.code

    def save_output(self, command, sink):
        finished = self.run(command)
        sink(finished.stdout.encode())
        return finished.stderr

    def feed(self, command, chunks):
        """What was fed is read by the script as the command's standard input."""
        text = b"".join(chunks).decode(errors="replace")
        return self.run(replace(command, stdin=text)).stdout

    @contextmanager
    def session(self, command):
        """Talks in the lines that the script answers with; an answer that fails is a program that never spoke."""
        session = self._session(command)
        self.sessions.append(session)
        try:
            yield session
        except (SessionEndedError, JSONDecodeError):
            raise self._failure(command, "it ended too early, or its answer was cut off") from None

    def _session(self, command):
        for part, make in self._talkers.items():
            if part in shown(command):
                self.ran.append(command)
                return make()
        return FakeSession(self.run(replace(command, stdin=SPOKEN)).stdout.splitlines())


class FakeClock(Clock):
    """Time passes only by sleeping."""

    def __init__(self):
        self.passed = 0.0

    def now(self):
        return NOW + timedelta(seconds=self.passed)

    def monotonic(self):
        return self.passed

    def sleep(self, seconds):
        self.passed += seconds


class FakeHttp:
    """Answers scripted requests; `asked` has method, URL, headers and form of each."""

    def __init__(self):
        self.asked = []
        self._scripts = []

    def on(self, part, *answers):
        """Answers in order to requests whose "METHOD URL" holds `part`, the last one for ever."""
        self._scripts.insert(0, (part, list(answers)))
        return self

    def get(self, url, *, headers=None, timeout=20):
        return self._answer("GET", url, headers, timeout)

    def options(self, url, *, headers=None, timeout=20):
        return self._answer("OPTIONS", url, headers, timeout)

    def post_form(self, url, form, *, headers=None, timeout=60):
        return self._answer("POST", url, headers, timeout, form)

    def _answer(self, method, url, headers, _timeout, form=None):
        self.asked.append((method, url, dict(headers or {}), form))
        for part, answers in self._scripts:
            if part in f"{method} {url}":
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return answer(headers or {}) if callable(answer) else answer
        raise AssertionError(f"No script for {method} {url}")


class FakeCable:
    """Answers by a part of the URL."""

    def __init__(self):
        self.answers = {"": "confirmed"}
        self.asked = []

    def subscribe(self, url, identifier, *, headers=None, timeout=10):
        self.asked.append((url, identifier, headers, timeout))
        return next(answer for part, answer in reversed(self.answers.items()) if part in url)


class FakeMachine:
    """A machine that fits; a test takes away what it wants to see missed."""

    def __init__(self):
        self.taken_ports = set()
        self.disk = 100 * GIGABYTE
        self.ram = 16 * GIGABYTE
        self.available = 8 * GIGABYTE
        self.arch = "x86_64"
        self.kernel = {"vm.overcommit_memory": "1"}
        self.next_port = 40000
        self.core_count = 2
        self.environment = {}
        self.runs_tasks = "systemd"
        self.account_name = self.owner_name = "ada"

    def user(self):
        return "ada"

    def account(self):
        return self.account_name

    def owner(self, _path):
        return self.owner_name

    def scheduler(self):
        return self.runs_tasks

    def architecture(self):
        return self.arch

    def cores(self):
        return self.core_count

    def memory(self):
        return self.ram

    def available_memory(self):
        return self.available

    def free_disk(self, _path):
        return self.disk

    def kernel_setting(self, name):
        return self.kernel.get(name, "")

    def variables(self, names):
        return {name: self.environment[name] for name in names if self.environment.get(name)}

    def port_is_free(self, _address, port):
        return port not in self.taken_ports

    def free_port(self):
        self.next_port += 1
        return self.next_port


class RecordingReporter:
    """Keeps what was told; answers questions from a list, None (nobody there) once it is used up."""

    def __init__(self, *answers):
        self.steps, self.notes, self.questions = [], [], []
        self.answers = list(answers)

    def step(self, text):
        self.steps.append(text)

    def note(self, text):
        self.notes.append(text)

    def confirm(self, question):
        return self.ask(question)

    def ask(self, question, *, secret=False):
        self.questions.append((question, secret))
        return self.answers.pop(0) if self.answers else None


def fake_host(*answers):
    """A host of which every part is a fake; `answers` are what the operator types."""
    return Host(
        COMPOSE,
        processes=FakeProcesses(),
        http=FakeHttp(),
        cable=FakeCable(),
        clock=FakeClock(),
        machine=FakeMachine(),
        remotes=FakeRemotes(),
        reporter=RecordingReporter(*answers),
    )


OK = Answer(200, "")
REFUSED = Answer(0, error="ConnectionError")
