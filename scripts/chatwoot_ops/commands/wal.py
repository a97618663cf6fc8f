"""What is asked of the archive of the WAL and of the server that fills it."""

from __future__ import annotations

from chatwoot_ops.commands.docker import docker, in_volume
from chatwoot_ops.model.command import Command
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.model.wal import SLOT_PREFIX

_LISTING = f"""
cd /volume
for chain in {SLOT_PREFIX}*; do
  [ -f "$chain/chain" ] || continue
  echo "chain=$chain"
  cat "$chain/chain"
  find "$chain" -type f -name '[0-9A-F]*' -printf 'file=%f %s %T@\\n'
done
"""
STATE = """
SELECT json_build_object(
  'system', (SELECT system_identifier::text FROM pg_control_system()),
  'cluster', regexp_replace(current_setting('data_directory'), '^.*/', ''),
  'synchronous', current_setting('synchronous_standby_names') <> '',
  'waiting', (SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'),
  'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'active', active,
      'status', coalesce(wal_status, 'unknown'),
      'held', coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)) ORDER BY slot_name), '[]')
    FROM pg_replication_slots WHERE starts_with(slot_name, 'chatwoot_wal_')),
  'receivers', (SELECT coalesce(json_agg(json_build_object('slot', slot_name, 'state', state,
      'behind', pg_wal_lsn_diff(pg_current_wal_lsn(), coalesce(write_lsn, restart_lsn)),
      'seconds', coalesce(extract(epoch FROM write_lag), 0),
      'silent', coalesce(extract(epoch FROM now() - reply_time), 0))), '[]')
    FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid
    WHERE starts_with(slot_name, 'chatwoot_wal_')));
"""
DROP_SLOTS = """
SELECT json_build_array(count(pg_drop_replication_slot(slot_name)))
FROM pg_replication_slots WHERE starts_with(slot_name, 'chatwoot_wal_') AND NOT active;
"""


def listing(stack: Stack) -> Command:
    """Prints every chain of the archive with its files, their sizes in bytes and when they last changed."""
    return in_volume(stack.images[DATABASE], stack.wal_place, _LISTING)


def stop_receiver(*ids: str) -> Command:
    """Stops containers of the receiver in good order, so that its last segment is whole as far as it goes."""
    return docker("stop", "--time", "20", *ids, purpose="Stopping the WAL receiver")
