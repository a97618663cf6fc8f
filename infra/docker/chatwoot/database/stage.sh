#!/bin/sh
# Makes an empty cluster beside the one that serves, in the same volume, and serves it inside this container only.
# The first argument is its name; the rest is the server's command line. Half made, it keeps the ending .partial.
set -eu
PGDATA=/var/lib/postgresql/data/clusters/$1.partial
shift
rm -rf "$PGDATA"
mkdir -p "${PGDATA%/*}"
export PGDATA
exec docker-entrypoint.sh "$@"
