"""What reads and fills the storage volume."""

from __future__ import annotations

from chatwoot_ops.commands.docker import in_volume
from chatwoot_ops.model.command import REBUILD_TIMEOUT, Command
from chatwoot_ops.model.stack import DATABASE, RAILS, Stack

# Files go where Active Storage looks for their key, whatever folder the archive had them in; each by rename.
_PLACE = """
set -e; cd /volume; rm -rf .restore; mkdir .restore; tar --extract --file=- --directory=.restore
find .restore -type f | while read -r file; do
  key=${file##*/}; case $key in .*) continue;; esac
  place=$(printf %.2s "$key")/$(printf %.4s "$key" | cut -c3-4); mkdir -p "$place"; mv -f "$file" "$place/$key"
done
rm -rf .restore; sync
"""
# A name with a space or a backslash in it is no key.
_STORED = r"-type f ! -name '.*' ! -path './.restore/*' ! -path '*[[:space:]]*' ! -path '*\\*'"
LIST_SIZES = f"cd /volume; find . {_STORED} -printf '%f %s\\n'"
LIST = f"""
cd /volume; set -- {_STORED}
find . "$@" -printf '%s %f\\n' | sort -k2 > /tmp/sizes
find . "$@" -exec md5sum {{}} + | sed 's|  .*/|  |' | sort -k2 > /tmp/sums
join -1 2 -2 2 /tmp/sizes /tmp/sums
"""


def place_files(stack: Stack) -> Command:
    """Unpacks a tar from standard input into the storage volume; files that are there already are replaced."""
    return in_volume(stack.images[DATABASE], stack.volumes[RAILS], _PLACE, write=True)


def list_sizes(stack: Stack) -> Command:
    """Each stored file as "KEY SIZE", a line each; no file is read."""
    return in_volume(stack.images[DATABASE], stack.volumes[RAILS], LIST_SIZES, timeout=REBUILD_TIMEOUT)


def list_files(stack: Stack) -> Command:
    """Each stored file as "KEY SIZE MD5", a line each."""
    return in_volume(stack.images[DATABASE], stack.volumes[RAILS], LIST, timeout=REBUILD_TIMEOUT)
