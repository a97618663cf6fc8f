"""The WAL archive of a machine, in fakes: its segments, and how they are fetched to an empty one."""

import json
import re
from dataclasses import replace

from chatwoot_ops.model.command import Finished
from chatwoot_ops.operations.nearing import brought_near, opened_near
from nightly import ONE_ONLY
from off_site import REMOTE
from sets import CLUSTER, sealed_physical
from world import INSTANCE, SLOT, SYSTEM

FOLDER = f"chatwoot/{INSTANCE}/wal/{SLOT}"
SETTINGS = {**REMOTE, "WAL_ARCHIVE": "async", "CHATWOOT_RELEASE": "v4.15.1-ce", **ONE_ONLY}
SIZE = 1 << 20
AT = 1795507190


def segment(number):
    return f"0000000100000000{number:08X}"


def content(number):
    return f"segment {number} ".ljust(SIZE, "x")


def set_in_segment_two(stack):
    """A sealed physical set that begins in segment 2."""
    return sealed_physical(stack.backup_folder, cluster=replace(CLUSTER, start_lsn="0/200028"))


class Archive:
    """The archive of a machine: chains with their segments, the last one unfinished unless told otherwise."""

    def __init__(self, host, *numbers, partial=True):
        self.files = {(SLOT, segment(number)): content(number) for number in numbers}
        self.partial = segment(numbers[-1]) if partial and numbers else ""
        self.described, self.placed, self.there = bool(numbers), [], bool(numbers)
        engine = host.processes
        engine.on_call("chain=$chain", lambda _: Finished(0, self.listing(), "")).on("docker ps", "")
        engine.on_call("docker volume inspect", lambda _: Finished(0 if self.there else 1, "", ""))
        engine.on_call("volume create", self.create).on_call("--entrypoint cat", self.read)
        engine.on_call('mkdir -p "/volume/$chain"', self.describe).on_call('cat > "$segment.coming"', self.place)
        engine.on("label=chatwoot-ops", "").on_call("pg_switch_wal", self.switch)

    def switch(self, _):
        """A quiet server: nothing was written since the last segment ended."""
        done = [name for _, name in self.files if name != self.partial]
        return Finished(0, json.dumps([max(done, default=segment(0))]), "")

    def listing(self):
        if not self.described:
            return ""
        facts = [f"system={SYSTEM}", "cluster=initial", "timeline=00000001", "begun=2026-11-24T07:00:00Z"]
        names = [f"{name}.partial" if name == self.partial else name for _, name in self.files]
        files = [f"file={name} {SIZE} {AT + at}.5" for at, name in enumerate(sorted(names))]
        return "\n".join([f"chain={SLOT}", *facts, "lsn=0/200000", f"segment_size={SIZE}", *files, ""])

    def read(self, command):
        chain, name = command.argv[-1].split("/")[-2:]
        return Finished(0, self.files[chain, name], "")

    def create(self, _):
        self.there = True
        return Finished(0, "", "")

    def describe(self, command):
        self.described = True
        assert "system=7570000000000000001\ncluster=initial\n" in command.stdin
        return Finished(0, "", "")

    def place(self, command):
        chain, name = re.search(r"chain=(\w+) segment=(\w+) written=", command.argv[-1]).groups()
        self.files[chain, name] = command.stdin
        self.placed.append(name)
        return Finished(0, "", "")


def where(**asked):
    return {"set": "latest", "dump": "", "storage": "", "to": "", "before": "", "remote": "yes", **asked}


def brought(place, host, identity="", **asked):
    with brought_near(place, host, where(**asked), "") as (near, _):
        opened_near(place, host, near, None, identity)
        return near["set"]
