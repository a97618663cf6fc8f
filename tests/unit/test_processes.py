"""Real processes: secrets masked, time limits kept, children that do not outlive us."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chatwoot_ops.adapters import processes as adapter
from chatwoot_ops.adapters.child import uninterrupted
from chatwoot_ops.adapters.processes import Processes
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.command import Command
from chatwoot_ops.operations.changing import terminable

SECRET, LONGER = "secret-value", "secret-value-longer"


def sh(script, **how):
    return Command(("sh", "-c", script), "Trying it", **how)


@pytest.fixture
def processes():
    return Processes((SECRET, LONGER, "short"))


def test_output_and_exit_code_come_back(processes):
    finished = processes.try_run(sh("echo out; echo err >&2; exit 3"))
    assert (finished.code, finished.stdout, finished.stderr) == (3, "out\n", "err\n")


def test_a_failure_says_purpose_code_and_last_lines_with_secrets_masked(processes):
    script = f"seq 40; echo password {SECRET}; echo {LONGER}! >&2; exit 3"
    with pytest.raises(CommandFailedError) as caught:
        processes.run(sh(script))
    assert caught.value.message == "Failed while trying it: sh exited with 3"
    assert len(caught.value.details) == adapter.LAST_LINES
    assert caught.value.details[-2:] == ("password ********", "********!")
    assert SECRET not in repr(caught.value)


def test_a_longer_secret_is_masked_before_one_that_it_begins_with(processes):
    assert processes.mask(f"{LONGER} {SECRET} short") == "******** ******** short"


def test_the_representation_of_the_processes_holds_no_secret(processes):
    assert SECRET not in repr(processes)


def test_a_missing_program_is_a_failure_of_that_command(processes):
    with pytest.raises(CommandFailedError, match="Failed while trying it: no-such-program: No such file"):
        processes.run(Command(("no-such-program",), "Trying it"))


def test_time_runs_out_and_the_child_is_ended(processes, tmp_path):
    with pytest.raises(CommandFailedError, match="no end after 0 s"):
        processes.run(sh(f"echo $$ > {tmp_path}/pid; exec sleep 30", timeout=0.2))
    assert ended(int((tmp_path / "pid").read_text()))


def test_a_child_that_ignores_the_interrupt_is_killed(processes, tmp_path, monkeypatch):
    monkeypatch.setattr(adapter, "INTERRUPT_GRACE_SECONDS", 0.1)
    script = f"trap '' INT; echo $$ > {tmp_path}/pid; while :; do sleep 0.05; done"
    with pytest.raises(CommandFailedError, match="no end after"):
        processes.run(sh(script, timeout=0.2))
    assert ended(int((tmp_path / "pid").read_text()))


def test_ctrl_c_ends_the_child_and_goes_on_its_way(processes, tmp_path):
    def interrupt(*_args):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            processes.run(sh(f"echo $$ > {tmp_path}/pid; exec sleep 30"))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("verb", ["run({})", "stream({}, print)", "save_output({}, print)", "feed({}, ())"])
def test_a_child_does_not_outlive_a_killed_parent(tmp_path, verb):
    program = (
        "import sys; from chatwoot_ops.adapters.processes import Processes; "
        "from chatwoot_ops.model.command import Command\n"
        "waiting = Command(('sh', '-c', f'echo $$ > {sys.argv[1]}; exec sleep 30'), 'Waiting')\n"
        f"Processes().{verb.format('waiting')}"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, tmp_path / "pid"])
    child = int(eventually(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip()))
    parent.kill()
    parent.wait()
    assert ended(child)


def test_the_commands_environment_is_added_and_the_shut_out_is_gone(processes, monkeypatch):
    monkeypatch.setenv("POSTGRES_PASSWORD", "of the shell")
    monkeypatch.setenv("KEPT", "kept")
    command = sh("echo $POSTGRES_PASSWORD,$KEPT,$ADDED", environment={"ADDED": "added"}, without={"POSTGRES_PASSWORD"})
    assert processes.run(command).stdout == ",kept,added\n"


@pytest.mark.parametrize(("stdin", "seen"), [("typed", "typed"), (None, ""), ("", "")])
def test_the_child_reads_what_it_is_given_and_never_the_terminal(processes, stdin, seen):
    assert processes.run(sh("cat", stdin=stdin, timeout=5)).stdout == seen


def test_bytes_that_are_no_text_do_not_stop_anything(processes):
    assert processes.run(sh(r"printf 'a\377b'")).stdout == "a�b"


def test_a_stream_hands_over_masked_lines_as_they_come(processes):
    lines = []
    code = processes.stream(sh(f"echo {SECRET}; echo err >&2; exit 4"), lines.append)
    assert (code, lines) == (4, ["********", "err"])


def test_a_stream_that_is_interrupted_ends_its_child(processes, tmp_path):
    def stop(_line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        processes.stream(sh(f"echo $$ > {tmp_path}/pid; echo line; exec sleep 30"), stop)
    assert ended(int((tmp_path / "pid").read_text()))


def test_a_program_is_found_on_path_or_not(processes):
    assert processes.find("sh")
    assert not processes.find("no-such-program")


def ended(pid):
    def gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    return eventually(gone)


def eventually(condition):
    for _ in range(200):
        if found := condition():
            return found
        time.sleep(0.02)
    return condition()


def answer_of(processes, script):
    command = Command((sys.executable, "-c", script), "Reading one snapshot")
    with processes.session(command) as session:
        return json.loads(session.read_line())


@pytest.mark.parametrize("said", ["", "[1, 2", "\n"])
def test_a_session_that_breaks_off_is_a_failure_with_the_programs_own_words(processes, said):
    script = f"import sys; print({said!r}, end=''); print('server closed', file=sys.stderr); sys.exit(3)"
    with pytest.raises(CommandFailedError, match="exited with 3") as caught:
        answer_of(processes, script)
    assert caught.value.details == ("server closed",)


def test_a_session_whose_answer_is_none_is_ended_although_the_program_would_go_on(processes, monkeypatch):
    monkeypatch.setattr(adapter, "INTERRUPT_GRACE_SECONDS", 0.5)
    with pytest.raises(CommandFailedError, match="exited with -9"):
        answer_of(processes, "import time; print('{', flush=True); time.sleep(600)")


def test_a_session_that_ends_well_but_too_early_is_a_failure(processes):
    with pytest.raises(CommandFailedError, match="its answer was cut off"):
        answer_of(processes, "print('{')")


class Begun:
    """A child that was started."""

    ended = ""

    def kill(self):
        self.ended += "killed "

    def wait(self):
        self.ended += "gone"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_a_program_starts_is_not_lost_and_the_program_is_ended(number):
    child = Begun()

    def start():
        os.kill(os.getpid(), number)
        return child

    with terminable(), pytest.raises(KeyboardInterrupt):
        uninterrupted(start)
    assert child.ended == "killed gone"


def test_afterwards_an_interruption_is_what_it_was_before():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    assert uninterrupted(Begun).ended == ""
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
