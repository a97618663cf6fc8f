#!/bin/sh
# Chooses the cluster to serve, then hands over to the image's own entrypoint.
#
# The volume holds clusters/NAME and a symlink `current` to the one that serves, so that a restore can build the new
# cluster beside the old one and put it in place by a single rename. A cluster that lies in the volume's root, as
# other compose files lay it out, is served where it is until a `current` exists.
set -eu

volume=/var/lib/postgresql/data
current=$volume/current
initializing=$volume/.initializing

refuse() {
  echo "chatwoot-db refuses to start: $1" >&2
  echo "Nothing was changed. $2" >&2
  exit 78
}

# set-up puts the mark into a new volume, the last script of the first start takes it away: while it is there, nothing
# was ever served.
if [ -e "$initializing" ]; then
  [ ! -e "$volume/clusters/initial" ] || echo "The first start was cut off; beginning it again." >&2
  rm -rf "$volume/clusters/initial" "$current"
fi

if [ -s "$current/PG_VERSION" ]; then
  cluster=$(readlink -f "$current")
elif [ -s "$volume/PG_VERSION" ]; then
  cluster=$volume
elif [ -L "$current" ]; then
  refuse "its volume points to $(readlink "$current"), and no cluster is there." \
    "Run 'invoke doctor', or restore a backup."
elif [ ! -e "$initializing" ] && { [ -e "$volume/.chatwoot-instance" ] || [ -n "${CHATWOOT_INSTANCE_ID:-}" ]; }; then
  refuse "this installation has data elsewhere (CHATWOOT_INSTANCE_ID is set), but its volume is empty." \
    "Mount the right volume, or restore a backup. For a new, empty installation take CHATWOOT_INSTANCE_ID out of .env."
else
  cluster=$volume/clusters/initial
  mkdir -p "$volume/clusters"
  : > "$initializing"
  ln -sfn clusters/initial "$current"
  chown postgres:postgres "$volume" "$volume/clusters" "$initializing"
  # The first start's own transactions must not wait for a receiver that starts only after it.
  export PGOPTIONS="-c synchronous_commit=local"
fi

# docker-compose.wal.yml: the receiver comes by a socket in a shared folder, which must not be the image's own one, for
# a restore's one-off containers have that too. `on` waits until the receiver has flushed the WAL to its disk;
# remote_apply would wait for ever, because a receiver applies nothing.
if [ -n "${CHATWOOT_WAL_ARCHIVE:-}" ]; then
  socket=/chatwoot-socket
  rm -f "$socket"/.s.PGSQL.*
  chown postgres:postgres "$socket"
  chmod 0700 "$socket"
  set -- "$@" -c "unix_socket_directories=/var/run/postgresql,/tmp,$socket" -c wal_level=replica \
    -c max_wal_senders=10 -c max_replication_slots=10 -c wal_sender_timeout=30s
fi
if [ "${CHATWOOT_WAL_ARCHIVE:-}" = sync ]; then
  set -- "$@" -c synchronous_standby_names=chatwoot_wal -c synchronous_commit=on
fi

export PGDATA="$cluster"
exec docker-entrypoint.sh "$@"
