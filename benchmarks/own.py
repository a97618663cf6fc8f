"""One run of our backup or restore in a process of its own, so that its peak of memory is that run's.

Started as `own.py backup|physical|restore ENV_FILE`; prints seconds and memory as JSON.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from time import perf_counter

from chatwoot_ops.adapters.host import Host, Silent
from chatwoot_ops.model.cluster import LOGICAL, PHYSICAL
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.backup import back_up
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_set
from filled import host, stack_at

STAGING = (
    "Making a cluster beside the one that serves",
    "Loading the dump",
    "Unpacking the cluster",
    "Proving the new cluster",
)


class StepTimes(Silent):
    """A reporter that only looks at the clock."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._step, self._began = "", 0.0

    def step(self, text: str) -> None:
        """Ends the step before and begins this one."""
        now = perf_counter()
        if self._step:
            self.seconds[self._step] = self.seconds.get(self._step, 0.0) + now - self._began
        self._step, self._began = text, now


def _backup(stack: Stack, machine: Host) -> dict[str, float]:
    return {"bytes": back_up(stack, machine, kind=LOGICAL).set.size}


def _physical(stack: Stack, machine: Host) -> dict[str, float]:
    return {"bytes": back_up(stack, machine, kind=PHYSICAL).set.size}


def _restore(stack: Stack, machine: Host) -> dict[str, float]:
    restored = restore(stack, machine, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    return {"away": restored.away_seconds}


_RUNS = {"backup": _backup, "physical": _physical, "restore": _restore}


def main(kind: str, env_file: str) -> None:
    """Makes the run and prints what it took."""
    steps = StepTimes()
    machine, stack = replace(host(), reporter=steps), stack_at(env_file)
    began = perf_counter()
    figures = _RUNS[kind](stack, machine)
    whole = perf_counter() - began
    steps.step("")
    staging = sum(steps.seconds.get(name, 0.0) for name in STAGING)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": whole, "staging": staging, "memory": memory, **figures, "steps": steps.seconds}))


def run(kind: str, stack: Stack) -> dict[str, float]:
    """The figures of one run: seconds, staging, memory in MiB, and bytes or seconds away."""
    argv = (sys.executable, str(Path(__file__)), kind, str(stack.env_file))
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True, text=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main(*sys.argv[1:])
