#!/bin/bash
# The contract of the official postgres image, written anew: its variables, its first start, its refusals, its step down to uid 999.
# bash, because a script of docker-entrypoint-initdb.d that is not executable is read into this shell.
#
# A first start that is killed half-way leaves a half cluster: PG_VERSION is there, so the next start takes it for a whole one, and
# roles, database or init scripts may be missing. The official image does the same; being kinder here would hide it from the tests.
set -Eeuo pipefail
INIT_SCRIPTS=/docker-entrypoint-initdb.d

refuse() { echo "error: $*" >&2 && exit 1; }

# file_variable NAME DEFAULT: NAME, or what the file NAME_FILE holds.
file_variable() {
    local name=$1 file="${1}_FILE" value=$2
    [ -z "${!name:-}" ] || [ -z "${!file:-}" ] || refuse "both $name and $file are set (but are exclusive)"
    if [ -n "${!name:-}" ]; then value=${!name}; elif [ -n "${!file:-}" ]; then value=$(<"${!file}"); fi
    export "$name=$value" && unset "$file"
}

read_environment() {
    file_variable POSTGRES_PASSWORD ''
    file_variable POSTGRES_USER postgres
    file_variable POSTGRES_DB "$POSTGRES_USER"
    file_variable POSTGRES_INITDB_ARGS ''
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

is_server() {
    [ "$1" = postgres ] || return 1
    for argument in "$@"; do
        case "$argument" in -'?' | --help | --describe-config | -V | --version) return 1 ;; esac
    done
}

has_cluster() { [ -s "$PGDATA/PG_VERSION" ]; }

make_folders() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chmod 0700 "$PGDATA" || :
    chmod 3775 /var/run/postgresql || :
    [ "$(id -u)" != 0 ] || find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
}

check_password() {
    [ -z "$POSTGRES_PASSWORD" ] || return 0
    [ "$POSTGRES_HOST_AUTH_METHOD" = trust ] || refuse "Database is uninitialized and superuser password is not specified.
       You must specify POSTGRES_PASSWORD to a non-empty value for the superuser."
}

make_cluster() {
    # shellcheck disable=SC2086  # arguments by contract
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
    # initdb's own lines trust the socket and the loopback address.
    printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
}

# docker_process_sql is the official image's name: init scripts that are read into this shell call it.
docker_process_sql() { psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc --dbname "${SQL_DATABASE-$POSTGRES_DB}" "$@"; }

start_for_init() {
    shift
    set -- "$@" -c listen_addresses='' -p "${PGPORT:-5432}"
    pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@")" -w start
}

make_database() {
    [ "$POSTGRES_DB" != postgres ] || return 0
    SQL_DATABASE=postgres docker_process_sql --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
}

run_init_script() {
    echo "$0: running $1"
    # shellcheck source=/dev/null
    case "$1" in
        *.sh) if [ -x "$1" ]; then "$1"; else . "$1"; fi ;;
        *.sql) docker_process_sql -f "$1" ;;
        *.sql.gz) gunzip -c "$1" | docker_process_sql ;;
        *) echo "$0: ignoring $1" ;;
    esac
}

first_start() {
    check_password
    ls "$INIT_SCRIPTS/" >/dev/null
    make_cluster
    export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}"
    start_for_init "$@"
    make_database
    for script in "$INIT_SCRIPTS"/*; do if [ -e "$script" ]; then run_init_script "$script"; fi; done
    pg_ctl -D "$PGDATA" -m fast -w stop
    unset PGPASSWORD
    echo 'PostgreSQL init process complete; ready for start up.'
}

case "${1:-}" in -*) set -- postgres "$@" ;; esac
if is_server "${1:-}" "$@"; then
    read_environment
    make_folders
    [ "$(id -u)" != 0 ] || exec gosu postgres "${BASH_SOURCE[0]}" "$@"
    if has_cluster; then echo 'PostgreSQL Database directory appears to contain a database; Skipping initialization'; else first_start "$@"; fi
fi
exec "$@"
