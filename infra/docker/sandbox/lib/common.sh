# Shared by build and the prepare scripts: messages, root, clean-up. Sourced, never run.
# shellcheck shell=sh

say() { echo "sandbox: $*" >&2; }

# fail CODE MESSAGE [LOGFILE]: the message, the end of the log, and out.
fail() {
    echo "sandbox: $2" >&2
    [ -z "${3:-}" ] || tail -n 20 "$3" >&2
    exit "$1"
}

# on_exit COMMAND: runs it once, however the script ends (130 after Ctrl-C).
on_exit() {
    # shellcheck disable=SC2064  # the command is known now
    trap "$1" EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

is_root() { [ "$(id -u)" = 0 ]; }

root() { if is_root; then "$@"; else sudo -n "$@"; fi; }

# need_root COMMAND: ends with the command to type where neither root nor a sudo without a question is at hand.
need_root() {
    is_root && return 0
    sudo -n true 2>/dev/null && return 0
    fail 11 "root is needed for this step and sudo asks for a password. Type:
    sudo $1"
}

apt_proxy() {
    command -v apt-config >/dev/null 2>&1 || return 0
    eval "$(apt-config shell found Acquire::http::Proxy)"
    echo "${found:-}"
}

# A Python that has pip: the project's own, else the machine's.
host_pip() {
    for python in "$SANDBOX/../../../.venv/bin/python" python3; do
        if "$python" -m pip --version >/dev/null 2>&1; then echo "$python" && return 0; fi
    done
    fail 11 "no pip on this machine. Type: scripts/bootstrap --list"
}
