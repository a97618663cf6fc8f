"""`kill_at.py STEP TASK...`: the task, which kills itself by SIGKILL as soon as the journal line of STEP is on disk.

With KILL_VICTIM set it kills that process instead and goes on. Only tests run this. The product knows nothing of it.
"""

import os
import signal
import sys

from invoke.main import program

from chatwoot_ops.adapters.journal_store import JournalStore

wanted, *task = sys.argv[1:]
victim = int(os.environ.pop("KILL_VICTIM", os.getpid()))
announce = JournalStore.step


def step(self, name, facts=None):
    announce(self, name, facts)
    if name == wanted:
        os.kill(victim, signal.SIGKILL)


JournalStore.step = step
program.run(["invoke", *task])
