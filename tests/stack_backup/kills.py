"""One kill: what was begun, what is left, what ended it, what was lost. Rows of the kill table."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stack.tools import SERVICES, docker
from stack_backup.support import answers, clusters, kill_at, lost, sets

BACKUP = ("dump-database", "copy-storage", "seal-settings", "seal")
RESTORE = ("stage", "load", "prove", "storage", "stop", "swap", "start", "smoke", "clean", "build-indexes")
UPGRADE = (*BACKUP, "stop", "copy-cluster", "swap", "prepare", "pin", "start", "clean")
WAYS = ("finish", "undo")
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


def matrix(*wanted):
    """Every (step, way) of these steps, those of the sample unmarked, the others for `nox -s faults`."""
    steps, sample = wanted
    pairs = [(step, way) for step in steps for way in WAYS]
    return [pytest.param(*pair, marks=() if pair in sample else pytest.mark.matrix) for pair in pairs]


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


def kill_and_end(stack, task, step, way, name=""):
    """Kills the task at the step, sees it refused, ends it and proves what is there then; `name` is the row's."""
    written = stack.client.write(f"before {task[0]} was killed at {step} {datetime.now(UTC):%H%M%S.%f}")
    kill_at(stack, step, *task)
    state = state_of(stack)
    refused = stack.invoke("up", code=12)
    assert f"cut off at step '{step}'" in refused.err
    ended = stack.invoke("recover", f"--{way}", code=None)
    assert ended.code == 0, ended.said
    assert stack.journal() == ""
    stack.invoke("smoke", "--quick")
    leaves_nothing_half(stack)
    replaced = task[0] == "restore" and way == "finish"
    missing = lost(stack, stack.in_set if replaced else [*stack.in_set, written])
    assert missing == []
    if replaced:
        assert lost(stack, [written]) == [written], "the data is not the set's"
    release = stack.settings["CHATWOOT_RELEASE"]
    serves = f"{release}, data of the set" if replaced else f"{release}, data from before"
    command = f"invoke recover --{way}"
    note(Killed(name or task[0], step, state, command, ended.code, len(missing), serves, round(ended.seconds, 1)))


def leaves_nothing_half(stack):
    """No one-off container, no half-made cluster, no half-made set."""
    assert stack.one_offs() == []
    names = docker("ps", "-a", "--format", "{{.Names}}", "--filter", f"name={stack.project}-").out.split()
    assert [name for name in names if "-restore-" in name] == []
    assert [name for name in clusters(stack) if name.endswith(".partial")] == []
    assert [path.name for path in sets(stack) if path.name.endswith(".partial")] == []


ROWS: list[Killed] = []


def note(row):
    """Keeps a row; where the run was asked for the table it is written at once, for a long run may be cut off."""
    ROWS.append(row)
    if os.environ.get("KILL_TABLE"):
        write_table(os.environ["KILL_TABLE"])


def write_table(machine):
    """Lays what this run saw over what is there; the order is that of the steps."""
    known = {(row["operation"], row["step"], row["ended_by"]): row for row in read_rows()}
    known |= {(row.operation, row.step, row.ended_by): asdict(row) for row in ROWS}
    physical = {"physical backup": ("base-backup", *BACKUP[1:]), "physical restore": RESTORE}
    order = {"backup": BACKUP, "restore": RESTORE, "upgrade": UPGRADE, **physical}

    def place(row):
        steps = order.get(row["operation"], ())
        return row["operation"], steps.index(row["step"]) if row["step"] in steps else 99, row["ended_by"]

    found = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": machine, "rows": sorted(known.values(), key=place)}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


def read_rows():
    return json.loads(RESULTS.read_text())["rows"] if RESULTS.exists() else []
