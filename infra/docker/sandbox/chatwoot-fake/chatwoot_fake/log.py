"""JSON log lines on standard output, filtered by LOG_LEVEL as Rails and Sidekiq do (facts 3)."""

import json
import os
import sys
from datetime import UTC, datetime

from chatwoot_fake import environment

LEVELS = ("debug", "info", "warn", "error", "fatal")


def write(level: str, message: str, **fields: object) -> None:
    """One line, if LOG_LEVEL lets it through."""
    wanted = environment.log_level()
    threshold = LEVELS.index(wanted) if wanted in LEVELS else 1
    if LEVELS.index(level) < threshold:
        return
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"ts": stamp, "pid": os.getpid(), "lvl": level.upper(), "msg": message, **fields}
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()
