"""Saves the rows that a restore replaces and that its source does not have, as JSON lines, before they are gone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from chatwoot_ops.adapters.clock import COMPACT
from chatwoot_ops.adapters.files import write_lines
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.pipes import Session
from chatwoot_ops.commands.backup import snapshot_session
from chatwoot_ops.commands.database import answers
from chatwoot_ops.errors import SettingsInvalidError
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.changing import Change
from chatwoot_ops.operations.source import Source

# JSON holds no control characters, so CSV with two of them hands each row on as it is; COPY keeps none in memory.
_ROWS = r"""
SET TimeZone = 'UTC'; SET statement_timeout = 0;
SELECT format('COPY (SELECT json_build_object(''table'', %L, ''row'', to_jsonb(t)) FROM public.%I t'
  ' WHERE greatest(%s) > %L) TO STDOUT WITH (FORMAT csv, QUOTE E''\x01'', DELIMITER E''\x02'')',
  c.relname, c.relname, c.columns, 'SINCE')
FROM (SELECT c.relname, string_agg(format('t.%I', a.attname), ', ') AS columns FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('created_at', 'updated_at') AND NOT a.attisdropped
  WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY c.relname) c ORDER BY c.relname \gexec
SELECT 'end';
"""
_END, _PURPOSE = "end", "Saving the rows that the source does not have"


def refuse_export(stack: Stack, host: Host, path: str) -> None:
    """Raises SettingsInvalidError where newer rows were asked for and cannot be saved; nothing was touched then."""
    if not path:
        return
    file = Path(path)
    problems = [f"{path} is there already: it is not overwritten"] if file.exists() else []
    problems += [] if file.resolve().parent.is_dir() else [f"there is no folder {file.resolve().parent}"]
    if host.processes.try_run(answers(stack, host.compose)).code != 0:
        problems.append("the running database does not answer: restore without --export-newer")
    if problems:
        text = "The rows newer than the source cannot be saved"
        raise SettingsInvalidError(text, details=tuple(problems), remedy="Nothing was changed.")


def export_newer(stack: Stack, host: Host, change: Change, source: Source, path: str) -> None:
    """Writes every row that was made or changed since the source to a private file; without a path nothing.

    A line is {"table": ..., "row": {...}}, of every table that notes when its rows were made or changed. Raises
    CommandFailedError when a row could not be read or written: the restore must not go on then.
    """
    if not path:
        return
    host.reporter.step(_PURPOSE)
    counted: Counter[str] = Counter()
    with host.processes.session(snapshot_session(stack, host.compose, _PURPOSE)) as session:
        session.send(_ROWS.replace("SINCE", _since(source)))
        session.close()
        write_lines(Path(path), _lines(session, counted))
    tables = ", ".join(f"{count} of {name}" for name, count in counted.most_common())
    change.made(f"{counted.total()} rows that the source does not have are in {path}: {tables or 'none'}")


def _lines(session: Session, counted: Counter[str]) -> Iterator[str]:
    while (line := session.read_line()) != _END:
        counted[json.loads(line)["table"]] += 1
        yield line + "\n"


def _since(source: Source) -> str:
    """Of a set the moment it was begun, which is before its snapshot: rather a row too many than one too few."""
    if source.set is None:
        return "-infinity"
    if source.recovery:
        moment = datetime.fromisoformat(source.recovery.moment).astimezone(UTC)
    else:
        moment = datetime.strptime(source.set.manifest.name.partition("-")[0], COMPACT).replace(tzinfo=UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"
