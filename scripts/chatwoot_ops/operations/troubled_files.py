"""Stored files that are missing, wrong, kept or orphaned, by the conversation or record that they belong to."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from chatwoot_ops.adapters.files import ensure_private_folder, remove_file, write_lines
from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import CommandFailedError
from chatwoot_ops.model.backup_set import StorageProof
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.model.troubled_file import KEPT, MISSING, ORPHANED, WRONG, TroubledFile, lines_of
from chatwoot_ops.operations.database import ask_database

Rows = Mapping[str, Mapping[str, Any]]
# A variant or preview hangs on the blob that it was made of, and belongs where that one does.
_WHERE = """
WITH asked AS MATERIALIZED (
  SELECT b.*, coalesce(v.blob_id, CASE a.record_type WHEN 'ActiveStorage::Blob' THEN a.record_id END, b.id) AS home
  FROM json_array_elements_text('KEYS') AS keys(key)
  JOIN active_storage_blobs b ON b.key = keys.key
  LEFT JOIN active_storage_attachments a ON a.blob_id = b.id AND a.record_type LIKE 'ActiveStorage::%'
  LEFT JOIN active_storage_variant_records v ON a.record_type = 'ActiveStorage::VariantRecord' AND v.id = a.record_id
)
SELECT coalesce(json_object_agg(key, found), '{}') FROM (
  SELECT DISTINCT ON (b.key) b.key, json_build_object('size', b.byte_size, 'filename', b.filename,
    'account', coalesce(f.account_id, ct.account_id, ib.account_id, 0), 'message', coalesce(f.message_id, 0),
    'conversation', coalesce(c.display_id, 0), 'young', b.created_at > now() AT TIME ZONE 'UTC' - interval '1 hour',
    'record', coalesce(CASE WHEN o.record_type = 'Attachment' THEN 'Attachment ' || o.record_id
      ELSE o.name || ' of ' || o.record_type || ' ' || o.record_id END, '')) AS found
  FROM asked b
  LEFT JOIN active_storage_attachments o ON o.blob_id = b.home AND o.record_type NOT LIKE 'ActiveStorage::%'
  LEFT JOIN attachments f ON o.record_type = 'Attachment' AND f.id = o.record_id
  LEFT JOIN messages m ON m.id = f.message_id
  LEFT JOIN conversations c ON c.id = m.conversation_id
  LEFT JOIN contacts ct ON o.record_type = 'Contact' AND ct.id = o.record_id
  LEFT JOIN inboxes ib ON o.record_type = 'Inbox' AND ib.id = o.record_id
  ORDER BY b.key, c.display_id, o.id) AS rows;
"""


def where_question(keys: Collection[str]) -> str:
    """SQL that answers with what the database knows of these stored files, as one JSON object by key."""
    return _WHERE.replace("KEYS", json.dumps(sorted(keys)).replace("'", "''"))


def troubled(proof: StorageProof, sizes: Mapping[str, int], rows: Rows) -> tuple[TroubledFile, ...]:
    """Every file of a proof with which something is wrong, by account, conversation and record; orphaned ones last."""
    kinds = ((MISSING, proof.missing), (WRONG, proof.wrong), (KEPT, proof.kept))
    found = [_with_row(key, trouble, rows.get(key, {})) for trouble, keys in kinds for key in keys]
    found.sort(key=lambda each: (each.account, each.conversation, each.message, each.record, each.key))
    return (*found, *(TroubledFile(key, ORPHANED, sizes.get(key, 0)) for key in proof.orphaned))


def lost_files(keys: Collection[str], rows: Rows) -> tuple[TroubledFile, ...]:
    """The same of files that are known to be lost."""
    return tuple(_with_row(key, MISSING, rows.get(key, {})) for key in keys)


def _with_row(key: str, trouble: str, row: Mapping[str, Any]) -> TroubledFile:
    return TroubledFile(
        key,
        trouble,
        size=int(row.get("size", 0)),
        account=int(row.get("account", 0)),
        conversation=int(row.get("conversation", 0)),
        message=int(row.get("message", 0)),
        record=str(row.get("record", "")),
        filename=str(row.get("filename", "")),
    )


def ask_rows(stack: Stack, host: Host, keys: Collection[str]) -> Rows:
    """What the running database knows of these files.

    Raises CommandFailedError where it does not answer.
    """
    rows: Rows = ask_database(stack, host, where_question(keys)) if keys else {}
    return rows


def ask_where(stack: Stack, host: Host, keys: Collection[str]) -> Rows:
    """The same; nothing where it does not answer: the keys must do then."""
    return asked_where(lambda: ask_rows(stack, host, keys), keys)


def asked_where(ask: Callable[[], Any], keys: Collection[str]) -> Rows:
    """The same of whatever is asked."""
    try:
        rows = ask() if keys else {}
    except CommandFailedError:
        return {}
    return rows if isinstance(rows, dict) else {}


def with_rows(proof: StorageProof) -> tuple[str, ...]:
    """Keys of the files of a proof that have a row and something wrong with them."""
    return (*proof.missing, *proof.wrong, *proof.kept)


def list_file(stack: Stack, operation: str) -> Path:
    """Where the whole list of an operation's last run lies."""
    return stack.state_folder / f"stored-files-{operation}.jsonl"


def told(stack: Stack, operation: str, files: tuple[TroubledFile, ...]) -> tuple[str, ...]:
    """Lines for people, of the first few; all of them, with file names, go into a private file that the lines name.

    The file of an earlier run goes where there is nothing to tell. What was done is not undone where it cannot be
    written; that is a line then.
    """
    path = list_file(stack, operation)
    if not files and not path.exists():
        return ()
    try:
        if not files:
            remove_file(path)
            return ()
        ensure_private_folder(path.parent)
        write_lines(path, (json.dumps(asdict(each)) + "\n" for each in files))
    except CommandFailedError as error:
        return (*lines_of(files), error.message)
    return (*lines_of(files), f"All {len(files)} of them, with their file names: {path}")
