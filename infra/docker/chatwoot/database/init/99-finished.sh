#!/bin/sh
# The last step of the first start: from here on the cluster counts as made.
set -eu
sync
rm -f /var/lib/postgresql/data/.initializing
