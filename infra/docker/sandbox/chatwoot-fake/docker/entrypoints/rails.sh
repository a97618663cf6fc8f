#!/bin/sh
# Stands in for Chatwoot's entrypoint (facts 1.1): same order, same endless wait, same trace in the log.
set -x

rm -rf /app/tmp/pids/server.pid
rm -rf /app/tmp/cache/*

set +x
if [ -n "$DATABASE_URL" ]; then
  # Without a port in the URL the value stays empty, as in the original.
  rest=${DATABASE_URL#*://}
  POSTGRES_USERNAME=${rest%%[:@]*}
  rest=${rest##*@}
  rest=${rest%%/*}
  POSTGRES_HOST=${rest%%:*}
  case "$rest" in *:*) POSTGRES_PORT=${rest##*:} ;; *) POSTGRES_PORT= ;; esac
  export POSTGRES_USERNAME POSTGRES_HOST POSTGRES_PORT
else
  export POSTGRES_PORT="${POSTGRES_PORT:-5432}"
fi
set -x

# Unquoted on purpose: an empty host or user shifts the arguments and the wait never ends (facts 1.1).
until pg_isready -h $POSTGRES_HOST -p $POSTGRES_PORT -U $POSTGRES_USERNAME; do
  sleep 2
done

exec "$@"
