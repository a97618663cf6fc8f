# Makes the folder that is sent to the engine: the image's own files and what the host downloads for it. Sourced by build.
# shellcheck shell=sh disable=SC2154

remove_context() { [ -z "${context:-}" ] || rm -rf "$context"; }

# make_context FOLDER: once for all images of that folder.
make_context() {
    [ -n "${context:-}" ] || context=$(mktemp -d)
    [ ! -d "$context/$1" ] || return 0
    cp -R "$SANDBOX/$1" "$context/$1"
    # Whatever the umask of the checkout: not only root reads these files in the image.
    chmod -R a+rX "$context/$1"
    if [ -f "$SANDBOX/$1/requirements.txt" ]; then download_wheels "$context/$1"; fi
    if [ -x "$SANDBOX/$1/prepare" ]; then "$SANDBOX/$1/prepare" "$context/$1"; fi
    case "$1" in chatwoot-fake) write_schemas "$context/$1/schema/real" ;; esac
}

# By the host's pip, which knows the host's index and certificates; the image installs them without a network.
download_wheels() {
    say "downloading wheels for ${1##*/}"
    python=$(host_pip)
    "$python" -m pip download -qq --require-hashes --only-binary=:all: --no-deps --dest "$1/wheels" --requirement "$1/requirements.txt" \
        --python-version 3.11 --implementation cp --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 \
        --platform manylinux2014_x86_64 >&2 || fail 20 "the wheels of ${1##*/}/requirements.txt could not be downloaded"
}

# The real schemas as plain SQL, where they are at hand; an empty folder otherwise.
write_schemas() {
    mkdir -p "$1"
    real_dumps | while read -r dump; do
        version=${dump##*/chatwoot-}
        say "schema of ${version%-empty.dump}"
        docker run --rm -i --entrypoint pg_restore chatwoot-sandbox/postgres:pg16 --no-owner --no-privileges --no-comments -f - \
            <"$dump" >"$1/${version%-empty.dump}.sql"
    done
}
