"""Keeps the jobs that wait in Redis before a restore empties it: somebody may have to do what they would have done."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from chatwoot_ops.adapters.files import ensure_private_folder, write_lines
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import redis
from chatwoot_ops.model.queued_job import job_line
from chatwoot_ops.model.stack import Stack

# Sidekiq's own names: jobs at a later time, to be tried again, given up.
SETS = ("schedule", "retry", "dead")
PAGE = 500


def keep_jobs(stack: Stack, host: Host) -> str:
    """Writes every waiting job to a private file in the state folder; returns a line for the operator, "" for no job.

    Call it once the worker has stopped: what the web still adds afterwards is not in it. Raises CommandFailedError
    when Redis cannot be read or the file cannot be written: a job that nobody knows of must not be thrown away.
    """
    counted: Counter[str] = Counter()
    ensure_private_folder(stack.state_folder)
    path = stack.state_folder / f"jobs-before-restore-{host.clock.compact_stamp()}.jsonl"
    write_lines(path, _lines(stack, host, counted))
    if not counted:
        path.unlink()
        return ""
    what = ", ".join(f"{count} {name}" for name, count in counted.most_common())
    return f"{counted.total()} waiting jobs of the data before will not run; they are kept in {path}: {what}"


def _lines(stack: Stack, host: Host, counted: Counter[str]) -> Iterator[str]:
    for where, raw in _jobs(stack, host):
        line = job_line(where, raw)
        if line is not None:
            counted[line["does"]] += 1
            yield json.dumps(line, ensure_ascii=False) + "\n"


def _jobs(stack: Stack, host: Host) -> Iterator[tuple[str, str]]:
    queues = host.processes.run(redis.ask(stack, host.compose, "KEYS", "queue:*")).stdout.split()
    for verb, names in (("LRANGE", sorted(queues)), ("ZRANGE", SETS)):
        for name in names:
            yield from ((name, job) for job in _pages(stack, host, verb, name))


def _pages(stack: Stack, host: Host, verb: str, name: str) -> Iterator[str]:
    """Counted from the end, where a job that is added meanwhile shifts nothing."""
    last = -1
    while True:
        words = (verb, name, str(last - PAGE + 1), str(last))
        found = host.processes.run(redis.ask(stack, host.compose, *words, purpose="Reading the waiting jobs"))
        jobs = found.stdout.splitlines()
        yield from jobs
        if len(jobs) < PAGE:
            return
        last -= PAGE
