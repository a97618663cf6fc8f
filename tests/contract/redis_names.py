"""The names of the recorded Redis keys, and which of them the fake writes."""

import re

from contract import recorded

KEYS = recorded.redis_keys()
HOST = re.compile(r"\b[0-9a-f]{12}\b")
# What the fake leaves out: metrics by class and minute, and keys of features that it does not have.
LEFT_OUT = re.compile(r"^([A-Z]\w+(::\w+)*-\d|j\|\d|alfred:(ROUND_ROBIN|idb-cache))")


def plain(name):
    """A key without what differs from one instance to the next."""
    name = HOST.sub("HOST", name)
    name = re.sub(r"^HOST:\d+:HOST", "IDENTITY", name)
    name = re.sub(r"attack:\d+:(.*):[\d.]+$", r"attack:N:\1:ADDRESS", name)
    name = re.sub(r"^[A-Z]\w+(::\w+)*-\d\d-\d\d:\d+$", "CLASS-DAY-MINUTE", name)
    name = re.sub(r"^j\|\d+\|[\d:]+$", "j|DAY|MINUTE", name)
    name = re.sub(r"(GLOBAL_CONFIG|idb-cache-key-account-\d+)[:-]\w+$", r"\1:NAME", name)
    return re.sub(r"\d{4}-\d\d-\d\d", "DAY", name)


WANTED = sorted({plain(name) for name in KEYS if not LEFT_OUT.match(name)} - {"dead"})
