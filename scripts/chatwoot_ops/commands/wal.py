"""What is asked of the archive of the WAL and of the server that fills it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from chatwoot_ops.commands.docker import PROJECT_LABEL, docker, in_volume
from chatwoot_ops.model.command import COPY_TIMEOUT, Command
from chatwoot_ops.model.stack import DATABASE, Stack
from chatwoot_ops.model.wal import SLOT_PREFIX, Chain

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
  'waited', (SELECT coalesce(extract(epoch FROM max(clock_timestamp() - query_start)), 0)
    FROM pg_stat_activity WHERE wait_event = 'SyncRep'),
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
# At the boundary of two segments the name is that of the one before; where nothing was written it ends none.
FINISH = "SELECT json_build_array(pg_walfile_name(pg_switch_wal()));"
DROP_SLOTS = """
SELECT json_build_array(count(pg_drop_replication_slot(slot_name)))
FROM pg_replication_slots WHERE starts_with(slot_name, 'chatwoot_wal_') AND NOT active;
"""


def listing(stack: Stack) -> Command:
    """Prints every chain of the archive with its files, their sizes in bytes and when they last changed."""
    return in_volume(stack.images[DATABASE], stack.wal_place, _LISTING)


# pg_waldump wants a segment's own name, and says times in the zone of its surroundings.
_LAST_CHANGE = """
cd "/volume/$chain" || exit 1
for file in $(ls -r | grep '^[0-9A-F]\\{24\\}'); do
  cp "$file" "/tmp/${file%.partial}"
  last=$(TZ=UTC pg_waldump --rmgr=Transaction "/tmp/${file%.partial}" 2>/dev/null |
    sed -n 's/.* desc: \\(COMMIT\\|ABORT\\)[A-Z_ ]* \\([0-9-]* [0-9:.]*\\) UTC.*/\\2+00:00/p' | tail -n 1)
  rm -f "/tmp/${file%.partial}"
  if [ -n "$last" ]; then echo "$last"; break; fi
done
"""
_REMOVE = """
cd /volume && while read -r file; do rm -f "$file"; done && sync
"""


def last_change(stack: Stack, chain: Chain) -> Command:
    """Prints when the last transaction of a chain ended, as a time in UTC; nothing where it holds none."""
    script = f"chain={chain.name}\n{_LAST_CHANGE}"
    return in_volume(stack.images[DATABASE], stack.wal_place, script, timeout=COPY_TIMEOUT)


def remove_segments(stack: Stack, files: Iterable[str]) -> Command:
    """Removes files of the archive, named by chain and segment."""
    given = "".join(f"{each}\n" for each in files)
    return in_volume(stack.images[DATABASE], stack.wal_place, _REMOVE, write=True, stdin=given)


def read_segment(stack: Stack, chain: Chain, segment: str) -> Command:
    """A segment's content on standard output, and nowhere else."""
    mount = ("--volume", f"{stack.wal_place}:/volume:ro", "--network", "none", "--user", "0")
    argv = ("run", "--rm", "--log-driver", "none", *mount, "--entrypoint", "cat", stack.images[DATABASE])
    return docker(*argv, f"/volume/{chain.name}/{segment}", purpose="Reading the WAL archive", timeout=600)


def create_archive(stack: Stack) -> Command:
    """Makes the archive's volume with the labels by which Compose takes it for its own."""
    labels = (f"{PROJECT_LABEL}={stack.project}", "com.docker.compose.volume=wal")
    flags = tuple(part for label in labels for part in ("--label", label))
    return docker("volume", "create", *flags, stack.wal_place, purpose="Creating the volume of the WAL archive")


# The server that recovers reads it as the image's own user.
_DESCRIBE = """
mkdir -p "/volume/$chain" && cd "/volume/$chain" || exit 1
chmod 700 . && chown postgres:postgres .
[ -f chain ] || { cat > chain.partial && sync && mv chain.partial chain && chown postgres:postgres chain; }
sync
"""
_PLACE = """
cd "/volume/$chain" && cat > "$segment.coming" && chmod 600 "$segment.coming" &&
  chown postgres:postgres "$segment.coming" && touch -d "$written" "$segment.coming" && sync "$segment.coming" &&
  mv "$segment.coming" "$segment" && sync .
"""


def place_description(stack: Stack, chain: Chain, text: str) -> Command:
    """Makes the folder of a chain, with what it is; one that is there stays as it is."""
    script = f"chain={chain.name}\n{_DESCRIBE}"
    return in_volume(stack.images[DATABASE], stack.wal_place, script, write=True, stdin=text)


def place_segment(stack: Stack, chain: Chain, segment: str, written: str) -> Command:
    """Puts standard input into the archive as a segment that was written at this time, in one step."""
    script = f"chain={chain.name} segment={segment} written={shlex.quote(written)}\n{_PLACE}"
    return in_volume(stack.images[DATABASE], stack.wal_place, script, write=True)


def stop_receiver(*ids: str) -> Command:
    """Stops containers of the receiver in good order, so that its last segment is whole as far as it goes."""
    return docker("stop", "--time", "20", *ids, purpose="Stopping the WAL receiver")
