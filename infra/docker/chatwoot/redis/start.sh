#!/bin/sh
# Redis with its configuration on standard input, so that the password is in no command line and no file.
# Sidekiq's jobs live here: every write goes to the append-only file, and nothing is ever evicted.
set -eu
exec docker-entrypoint.sh redis-server - <<CONFIG
port 6379
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory $REDIS_MAXMEMORY
maxmemory-policy noeviction
requirepass "$REDIS_PASSWORD"
CONFIG
