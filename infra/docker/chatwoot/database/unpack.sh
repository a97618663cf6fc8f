#!/bin/sh
# Makes a folder for a cluster beside the one that serves, waits while its files are put there and checked, and then
# serves it inside this container only. The first argument is its name; the rest is the server's command line.
set -eu
PGDATA=/var/lib/postgresql/data/clusters/$1.partial
shift
rm -rf "$PGDATA"
mkdir -p "${PGDATA%/*}"
# The server's own user verifies the files, and says so.
mkfifo -m 622 /tmp/serve
install -d -m 0700 -o postgres -g postgres "$PGDATA"
read -r _ < /tmp/serve
export PGDATA
exec docker-entrypoint.sh "$@"
