"""One kill: what was begun, what is left, what ended it, what was lost. Rows of the kill table."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kill_kinds import KINDS, SAMPLE, kills_of
from stack.tools import SERVICES, docker
from stack_backup.support import answers, clusters, kill_at, lost, sets

RESULTS = Path(__file__).parents[1] / "stack" / "results" / "kill-table.json"


@dataclass(frozen=True)
class Killed:
    """A row of the kill table."""

    operation: str
    step: str
    state: str
    ended_by: str
    exit_code: int
    rows_lost: int
    serves: str
    seconds: float


@dataclass(frozen=True)
class Kill:
    """What is killed where, and which way out of it is tried; `task` is what was typed."""

    kind: str
    step: str
    way: str
    task: tuple = ()
    # What recover needs beside the flag, and what is looked at before it.
    given: tuple = ()
    between: tuple = ()

    @property
    def replaces(self):
        """Whether the data is the set's afterwards."""
        return self.task[0] == "restore" and self.way == "finish"

    @property
    def stops(self):
        """Whether one of the ways out of it leaves the stack down, as it should."""
        return KINDS[self.kind][0] in {"up", "down"} or self.kind == "undo of an up"


def matrix(kind):
    """Every (step, way) of a kind, those of the sample unmarked, the others for `nox -s faults`."""
    return [pytest.param(*pair, marks=() if (kind, *pair) in SAMPLE else pytest.mark.matrix) for pair in kills_of(kind)]


def state_of(stack):
    """What a person would see who looked now."""
    running = []
    for service in SERVICES:
        seen = docker("inspect", "-f", "{{.State.Status}}", stack.container(service), check=False).out.strip()
        if seen != "running":
            running.append(f"{service.removeprefix('chatwoot-')} {seen or 'gone'}")
    web = answers(stack, 3)
    partial = [name for name in clusters(stack) if name.endswith(".partial")]
    unsealed = [path.name for path in sets(stack) if path.name.endswith(".partial")]
    parts = [f"web answers {web}" if web else "web does not answer", *running]
    parts += ["a half-made cluster"] * bool(partial) + ["a half-made set"] * bool(unsealed)
    return ", ".join(parts)


def kill_and_end(stack, kill):
    """Kills the task at the step, sees it refused, ends it and proves what is there then; a row of the table."""
    written = stack.client.write(f"before {kill.kind} was killed at {kill.step} {datetime.now(UTC):%H%M%S.%f}")
    end(stack, kill, written)


def end(stack, kill, written):
    """The same, with a message that was written before something else that had to come first."""
    assert kill.step in KINDS[kill.kind][1]
    kill_at(stack, kill.step, *kill.task)
    state = state_of(stack)
    refused = stack.invoke("up", code=12)
    assert f"cut off at step '{kill.step}'" in refused.err
    for look in kill.between:
        look()
    ended = stack.invoke("recover", f"--{kill.way}", *kill.given)
    assert stack.journal() == ""
    if kill.stops:
        stack.invoke("up")
    stack.invoke("smoke", "--quick")
    leaves_nothing_half(stack)
    missing = lost(stack, stack.in_set if kill.replaces else [*stack.in_set, written])
    assert missing == []
    if kill.replaces:
        assert lost(stack, [written]) == [written], "the data is not the set's"
    served = f"{stack.settings['CHATWOOT_RELEASE']}, data {'of the set' if kill.replaces else 'from before'}"
    command = f"invoke recover --{kill.way}"
    note(Killed(kill.kind, kill.step, state, command, ended.code, len(missing), served, round(ended.seconds, 1)))


def leaves_nothing_half(stack):
    """No one-off container, no half-made cluster, no half-made set, no set in clear."""
    assert stack.one_offs() == []
    names = docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"name={stack.project}-").out.split()
    assert [name for name in names if "-restore-" in name] == []
    assert [name for name in clusters(stack) if name.endswith(".partial")] == []
    assert [path.name for path in sets(stack) if path.name.endswith(".partial")] == []
    assert list(stack.state.glob("opened-*")) == []


ROWS: list[Killed] = []


def note(row):
    """Keeps a row; where the run was asked for the table it is written at once, for a long run may be cut off."""
    ROWS.append(row)
    if os.environ.get("KILL_TABLE"):
        write_table(os.environ["KILL_TABLE"])


def write_table(machine):
    """Lays what this run saw over what is there, so that parts can be run one by one, in the order of the steps."""
    known = {(row["operation"], row["step"], row["ended_by"]): row for row in read_rows()}
    known |= {(row.operation, row.step, row.ended_by): asdict(row) for row in ROWS}
    kinds = list(KINDS)

    def place(row):
        steps = KINDS[row["operation"]][1]
        at = steps.index(row["step"]) if row["step"] in steps else len(steps)
        return kinds.index(row["operation"]), at, row["step"], row["ended_by"]

    found = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "rows": sorted(known.values(), key=place)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def read_rows():
    return json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
