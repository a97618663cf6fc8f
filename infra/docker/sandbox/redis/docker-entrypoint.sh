#!/bin/sh
# The contract of the official redis image, written anew: options or a configuration file alone mean redis-server, which runs as uid 999.
set -eu
case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "${1:-}" = redis-server ] && [ "$(id -u)" = 0 ]; then
    find . ! -user redis -exec chown redis '{}' +
    HOME=/data exec setpriv --reuid redis --regid redis --init-groups -- "$0" "$@"
fi
# Files that Redis writes are its own alone, unless whoever starts it asked otherwise.
[ "$(umask)" != 0022 ] || umask 0077
exec "$@"
