"""A job that waits in Redis, as Sidekiq and Active Job write it, and what it would do."""

from __future__ import annotations

import json
from typing import Any

# The worker's own sign of life: it says nothing of a customer.
_OWN = "SidekiqAlive::Worker"


def job_line(where: str, raw: str) -> dict[str, Any] | None:
    """What a job in this queue or set would do, with the job itself; None for the worker's own sign of life.

    A text that is no job is kept as it is: throwing it away would hide it.
    """
    try:
        job = json.loads(raw)
    except ValueError:
        return {"where": where, "does": "unknown", "arguments": [], "job": raw}
    if not isinstance(job, dict):
        return {"where": where, "does": "unknown", "arguments": [], "job": job}
    if job.get("class") == _OWN:
        return None
    return {"where": where, "does": _name(job), "arguments": _arguments(job), "job": job}


def _name(job: dict[str, Any]) -> str:
    return str(job.get("wrapped") or job.get("class") or "unknown")


def _arguments(job: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the job was given
    # Active Job wraps its own arguments in the one argument that Sidekiq sees.
    given = job.get("args") or []
    first = given[0] if isinstance(given, list) and given else None
    return first["arguments"] if isinstance(first, dict) and "arguments" in first else given
