"""What a database holds, told by itself in one snapshot: rows and content of each table, sequences, versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from chatwoot_ops.model.backup_set import DataDigest
from chatwoot_ops.model.manifest import parse_data

# Text forms must be the same on both sides of a restore, whatever the server's settings are.
STABLE = """
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex';
SET extra_float_digits = 1; SET statement_timeout = 0; SET search_path = public;
"""
# The sum does not depend on the order of rows; unlike an exclusive or it also sees a row that is there twice.
# A value whose type compares bit by bit is hashed as it is, any other as text: making text of all of them took more
# than twice the processor time, beside a pg_dump that shares the processor. A row's hash is a linear mix of its
# columns' hashes, so it is hashed once more: else two rows that swap a value would leave the sum as it was.
_TABLES = """
SELECT format('SELECT json_build_array(''table'', %L, count(*),'
  ' coalesce(sum(hashtextextended(hash_record_extended(ROW(%s), 0)::text, 0)), 0)::text) FROM %I.%I',
  n.nspname || '.' || c.relname, (SELECT string_agg(format(
    CASE WHEN a.atttypid IN ('bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'text'::regtype,
      'varchar'::regtype, 'uuid'::regtype, 'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype)
    THEN '%I' ELSE '%I::text' END, a.attname), ', ' ORDER BY a.attname)
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'chatwoot_ops') ORDER BY c.relpages DESC \\gexec
"""
# Servers of another major version may hash otherwise, and those before 14 cannot hash a row at all.
_COUNTS = """
SELECT format('SELECT json_build_array(''table'', %L, count(*), %L) FROM %I.%I',
  n.nspname || '.' || c.relname, '', n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'chatwoot_ops') ORDER BY c.relpages DESC \\gexec
"""
SEQUENCES = """
SELECT json_build_array('sequences', coalesce(json_object_agg(schemaname || '.' || sequencename,
  coalesce(last_value, 0)), '{}')) FROM pg_sequences WHERE schemaname = 'public';
"""
_FACTS = """
SELECT json_build_array('facts', json_build_object(
  'extensions', (SELECT json_object_agg(extname, extversion) FROM pg_extension),
  'triggers', (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal),
  'postgres', current_setting('server_version'),
  'newest_message', (SELECT max(created_at) FROM public.messages)));
SELECT json_build_array('migrations', coalesce(json_agg(version ORDER BY version), '[]')) FROM public.schema_migrations;
SELECT json_build_array('end');
"""
COUNTED = STABLE + _COUNTS + SEQUENCES + _FACTS
# The rows of each table, for a cluster whose manifest counted none.
ROWS = """
SET statement_timeout = 0;
SELECT format('SELECT json_build_array(%L, count(*)) FROM %I.%I', n.nspname || '.' || c.relname, n.nspname, c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname IN ('public', 'chatwoot_ops') \\gexec
"""
DIGEST = STABLE + _TABLES + SEQUENCES + _FACTS
# The same without reading a row: what a physical set notes, whose rows are proved by their files.
OUTLINE = STABLE + SEQUENCES + _FACTS


def read_digest(next_line: Callable[[], str]) -> DataDigest:
    """The answers of DIGEST or OUTLINE, to their end; each sequence has its one value as both ends of its range."""
    raw: dict[str, Any] = {"tables": {}, "sequences": {}}
    while True:
        line = next_line()
        if not line.startswith("["):
            continue
        kind, *rest = json.loads(line)
        if kind == "end":
            return parse_data(raw)
        if kind == "table":
            raw["tables"][rest[0]] = {"rows": rest[1], "digest": rest[2]}
        elif kind == "sequences":
            raw["sequences"] = {name: (value, value) for name, value in rest[0].items()}
        elif kind == "facts":
            raw.update(rest[0])
        else:
            raw[kind] = rest[0]
