"""Holds filled stacks for several runs of the benchmarks, which then need not fill them anew; ends with Ctrl-C.

Started as `held.py FILE NAME...`, a NAME being a size or a WAL archive; the runs find them by BENCH_STACKS=FILE.
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from filled import ARCHIVES, archiving_stack, filled_stack


def main(file: str, *names: str) -> None:
    """Makes the stacks one by one, writes after each where all of them are, and waits."""
    made: dict[str, str] = {}
    for name in names:
        stack = archiving_stack(name) if name in ARCHIVES else filled_stack(name)
        made[name] = str(stack.env_file)
        Path(file).write_text(json.dumps(made), encoding="utf-8")
        print(f"{name}: {stack.project}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main(*sys.argv[1:])
