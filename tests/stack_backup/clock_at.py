"""`clock_at.py TIME TASK...`: the task on a machine whose clock says TIME, and goes on from there.

Only tests run this. The product knows nothing of it.
"""

import sys
from datetime import UTC, datetime

from invoke.main import program

from chatwoot_ops.adapters.clock import Clock

when, *task = sys.argv[1:]
began, said = datetime.now(UTC), datetime.fromisoformat(when).replace(tzinfo=UTC)
Clock.now = lambda _: said + (datetime.now(UTC) - began)
program.run(["invoke", *task])
