"""A stack whose WAL is archived, and what the tests of the archive ask and do to its receiver."""

import json
import subprocess
import time
from contextlib import contextmanager

from stack.tools import Stack, docker, new_project
from stack_backup.support import Client

RECEIVER = "chatwoot-wal"
PHYSICAL = ("backup", "--kind", "physical")
NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'"
INSIDE = ("psql", "-XqtA", "-U", "postgres", "-d", "chatwoot_production")


@contextmanager
def archiving_stack(folder, checkout, mode="sync", **values):
    """It has a base backup, messages `in_set` after that, and `moment`, which is later than these."""
    stack = Stack.make(folder, checkout, new_project("wal"), WAL_ARCHIVE=mode, **values)
    try:
        stack.set_up()
        # A restore looks whether everything belongs to Chatwoot's role.
        stack.write_row("first")
        stack.sql("ALTER TABLE kept OWNER TO chatwoot")
        stack.invoke(*PHYSICAL)
        time.sleep(1.1)  # a set's own second is not the first moment that it reaches
        stack.client = Client.of(stack)
        stack.in_set = [stack.client.write(f"before the moment {number}") for number in range(3)]
        stack.moment = stack.sql(NOW)
        yield stack
    finally:
        stack.remove()


def checks(stack):
    """Doctor's answers about the archive, by name."""
    found = json.loads(stack.invoke("doctor", "--json", code=None).out)["result"]
    return {each["name"]: each for each in found if each["name"].startswith("WAL")}


def writes(stack):
    """What the smoke check, which fails, says of writes that wait."""
    found = json.loads(stack.invoke("smoke", "--quick", "--json", code=25).out)["result"]
    return next(each for each in found if each["name"] == "writes")


def archive_line(stack):
    """What status says of the archive."""
    return json.loads(stack.invoke("status", "--json", code=None).out)["result"]["archive"]


SIGNAL = """
for each in /proc/[0-9]*; do
  case $(tr '\\0' ' ' < "$each/cmdline" 2>/dev/null) in pg_receivewal*) kill -"$0" "${each#/proc/}" ;; esac
done
"""


def signal(stack, name):
    """Sends a signal to the receiving program itself, not to the script that would start another."""
    docker("exec", stack.container(RECEIVER), "sh", "-c", SIGNAL, name)


def chains(stack):
    return docker("exec", stack.container(RECEIVER), "ls", "/wal").out.split()


@contextmanager
def a_write(stack, text):
    """A write in a process of its own, which may have to wait."""
    argv = ("docker", "exec", stack.container("chatwoot-db"), *INSIDE, "-c", f"INSERT INTO kept VALUES ('{text}')")  # noqa: S608
    with subprocess.Popen(argv) as writer:
        try:
            yield writer
        finally:
            if writer.poll() is None:
                writer.kill()


def lose_the_database(stack):
    """The files of the cluster that serves are gone, as with its disk."""
    docker("kill", stack.container("chatwoot-db"), check=False)
    volume = f"{stack.settings['CHATWOOT_DB_VOLUME']}:/v"
    image = stack.settings["POSTGRES_IMAGE"]
    docker("run", "--rm", "-u", "0", "-v", volume, "--entrypoint", "sh", image, "-c", "rm -rf /v/clusters/*/base")
