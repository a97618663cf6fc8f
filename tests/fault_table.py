"""Rows of the fault table: a fault test says what it broke, how many cases there were, and how many were survived."""

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from chatwoot_ops.errors import OpsError

RESULTS = Path(__file__).parent / "stack" / "results" / "fault-table.json"


@dataclass(frozen=True)
class Fault:
    """What was broken (`fault`) where (`on`), and what came of it; `rows_lost` is None where no live data was at hand.

    A case is survived when nothing live changed, nothing bad passed as good, and the tool said what a person needs.
    """

    area: str
    fault: str
    on: str
    cases: int
    survived: int
    rows_lost: int | None = None
    date: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d}")

    @property
    def key(self):
        return self.area, self.fault, self.on


def refusal_of(act):
    """The documented error that this ends with, None where it is done; whatever else it raises is a bug."""
    try:
        act()
    except OpsError as error:
        return error
    return None


SEEN: dict[tuple[str, str, str], Fault] = {}


def record(area, fault, on, *, cases=1, survived=None, rows_lost=None, results=RESULTS):
    """Adds these cases to the row of this run (`survived` is all of them where left out), which replaces the old one.

    Writes only where FAULT_TABLE or KILL_TABLE is set, to the name of the machine; then at once, for a long run may
    be cut off.
    """
    made = Fault(area, fault, on, cases, cases if survived is None else survived, rows_lost)
    before = SEEN.get(made.key)
    row = SEEN[made.key] = _sum(before, made) if before else made
    machine = os.environ.get("FAULT_TABLE") or os.environ.get("KILL_TABLE")
    if machine:
        _write(row, machine, results)
    return row


def _sum(one, other):
    lost = [each.rows_lost for each in (one, other) if each.rows_lost is not None]
    whole = {"cases": one.cases + other.cases, "survived": one.survived + other.survived}
    return replace(other, **whole, rows_lost=sum(lost) if lost else None)


def _write(row, machine, results):
    with _alone(results):
        there = json.loads(results.read_text(encoding="utf-8"))["rows"] if results.exists() else []
        known = {(each["area"], each["fault"], each["on"]): each for each in there} | {row.key: asdict(row)}
        rows = ",\n  ".join(json.dumps(known[key]) for key in sorted(known))
        text = f'{{\n "machine": {json.dumps(machine)},\n "rows": [\n  {rows}\n ]\n}}\n'
        partial = results.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(results)


@contextmanager
def _alone(results):
    results.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"/dev/shm/{results.name}.lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
