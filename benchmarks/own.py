"""One run of our backup or restore in a process of its own, so that its peak of memory is that run's.

Started as `own.py backup|physical|verify|restore ENV_FILE`; prints seconds, steps and memory as JSON.
"""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from chatwoot_ops.adapters.host import Host, Silent
from chatwoot_ops.model.cluster import LOGICAL, PHYSICAL
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.backup_sets import verify_set
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_set
from filled import host, stack_at

# Up to here a restore has touched nothing that serves.
STAGING = (
    "Making a cluster beside the one that serves",
    "Loading the dump",
    "Unpacking the cluster",
    "Proving the new cluster",
)
SWAP = "Putting the new cluster in place"
_NAME = re.compile(r" \d{8}T\d{6}Z\S*")


class Marks(Silent):
    """A reporter that only looks at the clock."""

    def __init__(self) -> None:
        self.made: list[tuple[str, float]] = []

    def step(self, text: str) -> None:
        """Notes when a step began; the name of a set in it is left out."""
        self.made.append((_NAME.sub(" the set", text), time.time()))


def _backup(stack: Stack, machine: Host) -> dict[str, float]:
    return {"bytes": back_up(stack, machine, kind=LOGICAL).set.size}


def _physical(stack: Stack, machine: Host) -> dict[str, float]:
    return {"bytes": back_up(stack, machine, kind=PHYSICAL).set.size}


def _verify(stack: Stack, machine: Host) -> dict[str, float]:
    return {"bytes": verify_set(stack, machine).size}


def _restore(stack: Stack, machine: Host) -> dict[str, float]:
    restored = restore(stack, machine, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    return {"away": restored.away_seconds}


_RUNS: Mapping[str, Callable[[Stack, Host], dict[str, float]]] = {
    "backup": _backup,
    "physical": _physical,
    "verify": _verify,
    "restore": _restore,
}


def main(kind: str, env_file: str) -> None:
    """Makes the run and prints what it took."""
    marks = Marks()
    machine, stack = replace(host(), reporter=marks), stack_at(env_file)
    marks.step("Looking first")
    figures = _RUNS[kind](stack, machine)
    marks.step("")
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"marks": marks.made, "memory": memory, **figures}))


def run(kind: str, stack: Stack) -> dict[str, Any]:
    """The figures of one run: seconds, memory in MiB, bytes or seconds away; `steps` in seconds, `marks` with times."""
    argv = (sys.executable, str(Path(__file__)), kind, str(stack.env_file))
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    marks = figures["marks"]
    steps: dict[str, float] = {}
    for (name, began), (_, ended) in pairwise(marks):
        steps[name] = steps.get(name, 0.0) + ended - began
    staging = sum(steps.get(name, 0.0) for name in STAGING)
    return {**figures, "steps": steps, "staging": staging, "seconds": marks[-1][1] - marks[0][1]}


if __name__ == "__main__":
    main(*sys.argv[1:])
