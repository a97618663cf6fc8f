#!/bin/sh
# Keeps a copy of the WAL of the cluster that serves, chain by chain, for as long as this container runs.
#
# A chain is a folder of the archive and a replication slot of the same name. It belongs to one cluster: after a restore
# another one serves, whose WAL must never be written over that of the one before, although both call their files the
# same. So each connection first asks which cluster it is; a chain that is not its own, or whose slot was lost because
# the receiver was away for too long, is left as it is, and a new one begins.
set -eu

archive=/wal
prefix=chatwoot_wal_
mine="slot_name LIKE 'chatwoot\\_wal\\_%'"
last='' child='' ended=''

say() {
  [ "$1" = "$last" ] || echo "chatwoot-wal: $1" >&2
  last=$1
}

case "$WAL_ARCHIVE" in
  sync) flags=--synchronous ;;
  async) flags= ;;
  *)
    say "WAL_ARCHIVE is '$WAL_ARCHIVE' in .env: set it to async or sync, or leave docker-compose.wal.yml out."
    exit 78
    ;;
esac

if [ "$(id -u)" = 0 ]; then
  chown postgres:postgres "$archive"
  exec gosu postgres /bin/sh "$0"
fi

trap 'ended=yes; [ -z "$child" ] || kill -INT "$child"' TERM INT

ask() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"; }

# What a chain belongs to, two lines: the file `chain` in its folder begins with the same.
cluster() {
  ask "SELECT format(E'system=%s\ncluster=%s', system_identifier,
    regexp_replace(current_setting('data_directory'), '^.*/', '')) FROM pg_control_system()"
}

find_chain() {
  for slot in $(ask "SELECT slot_name FROM pg_replication_slots
      WHERE $mine AND wal_status IS DISTINCT FROM 'lost' ORDER BY slot_name DESC"); do
    if [ "$(head -n 2 "$archive/$slot/chain" 2>/dev/null)" = "$1" ]; then
      echo "$slot"
      return
    fi
  done
}

# The slot first: were the folder first, WAL could go in between.
begin_chain() {
  slot=$prefix$(date -u +%Y%m%dt%H%M%Sz)
  [ ! -e "$archive/$slot" ] || return 1
  ask "SELECT pg_create_physical_replication_slot('$slot', true)" >/dev/null || return 1
  mkdir -m 700 "$archive/$slot" || return 1
  {
    printf '%s\n' "$1"
    ask "SELECT format(E'timeline=%s\nbegun=%s\nlsn=%s\nsegment_size=%s', left(pg_walfile_name(restart_lsn), 8),
      to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), restart_lsn,
      pg_size_bytes(current_setting('wal_segment_size'))) FROM pg_replication_slots WHERE slot_name = '$slot'"
  } >"$archive/$slot/chain.partial" || return 1
  sync
  mv "$archive/$slot/chain.partial" "$archive/$slot/chain"
  sync
  echo "A new chain begins: $slot. Only a base backup taken from now on can use it." >&2
  echo "$slot"
}

# Prints the chain to go on with. Slots that nobody will read again would hold WAL back for nothing.
open_chain() {
  here=$(cluster) || return 1
  chain=$(find_chain "$here") || return 1
  ask "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
    WHERE $mine AND NOT active AND slot_name <> '$chain'" >/dev/null || return 1
  [ -n "$chain" ] || chain=$(begin_chain "$here") || return 1
  echo "$chain"
}

receive() {
  say "receiving into $1"
  # shellcheck disable=SC2086 # none or one
  pg_receivewal --directory="$archive/$1" --slot="$1" --no-password --no-loop --status-interval=2 $flags &
  child=$!
  # A signal ends the first wait early.
  wait "$child" || wait "$child" || true
  child=''
  last=''
}

while [ -z "$ended" ]; do
  if chain=$(open_chain 2>/tmp/said); then
    cat /tmp/said >&2
    receive "$chain"
  else
    say "$(cat /tmp/said)"
  fi
  [ -n "$ended" ] || sleep 1
done
