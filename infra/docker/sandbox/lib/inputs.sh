# What an image is made from, as one hash. Sourced by build.
# shellcheck shell=sh disable=SC2154

# The releases whose real schema a folder beside the repository holds (README: schemas).
REAL_DUMPS="$SANDBOX/../../../../shared/chatwoot-db"

real_dumps() {
    for version in 4.14.2 4.15.1; do
        dump="$REAL_DUMPS/chatwoot-$version-empty.dump"
        if [ -f "$dump" ]; then echo "$dump"; fi
    done
}

# Content and relative name of each file: where the checkout lies makes no difference.
hash_folder() {
    (cd "$SANDBOX/$1" && find . -type f ! -path '*/__pycache__/*' -exec sha256sum {} + | sort)
}

inputs_of() {
    hash_folder "${1%%:*}"
    hash_folder lib
    sha256sum <"$SANDBOX/build"
    case "$1" in base:*) return 0 ;; esac
    inputs_of base:bookworm
    case "$1" in chatwoot-fake:*) echo "$1" && real_dumps | xargs -r -d '\n' cat | sha256sum ;; esac
}

inputs_hash() { inputs_of "$1" | sha256sum | cut -d ' ' -f 1; }
