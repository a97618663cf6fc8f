#!/bin/sh
# Exits 0 while the server sees a receiver that has answered lately, is not far behind, and whose last file is in the
# archive. The receiver itself is not asked: frozen, it would seem as well as ever.
set -eu

seen=$(psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "
  SELECT slot_name || '/' || pg_walfile_name(write_lsn - 1)
  FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid
  WHERE application_name = 'chatwoot_wal' AND reply_time > now() - interval '20 seconds'
    AND pg_wal_lsn_diff(pg_current_wal_lsn(), write_lsn) <= 256 * 1024 * 1024")
if [ -z "$seen" ]; then
  echo "the server has no receiver that answers and keeps up"
  exit 1
fi
[ -e "/wal/$seen" ] || [ -e "/wal/$seen.partial" ] || {
  echo "the receiver says it wrote $seen, but the archive has no such file"
  exit 1
}
