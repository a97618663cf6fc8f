"""Upgrades that pass, that fail in the middle, that never get healthy, and that are refused."""

import json
import os
import re

import pytest
import requests

from chatwoot_ops.operations.rehearse import SANDBOX
from stack.tools import docker, wait_for
from stack_backup.support import cluster, clusters, live, lost, rows, sets, writing

NEW = ("upgrade", "--to", "v4.15.1-ce", "--yes")
SICK = "chatwoot-sandbox/broken:v4.15.3-ce"
# The release says that it is 4.15.3, and its worker ends at once: customers can write, but it never gets healthy.
SICK_FILE = f"""FROM {SANDBOX.newer}
RUN sed -i "s/4.15.1/4.15.3/" /app/config/app.yml \\
 && sed -i "s/(4, 15, 2)/(9, 9, 9)/" /app/chatwoot_fake/prepare/migrations.py \\
 && mv /usr/local/bin/bundle /usr/local/bin/bundle.well \\
 && printf '#!/bin/sh\\ncase "$*" in *sidekiq*) exit 1;; esac\\nexec bundle.well "$@"\\n' > /usr/local/bin/bundle \\
 && chmod +x /usr/local/bin/bundle
"""


@pytest.fixture(scope="module")
def sick():
    docker("build", "-t", SICK, "-", stdin=SICK_FILE)
    yield SICK
    docker("rmi", "-f", SICK, check=False)


def as_before(stack, before):
    """Release, data and way to serve are what they were."""
    assert stack.settings["CHATWOOT_RELEASE"] == "v4.14.2-ce"
    assert stack.journal() == ""
    assert cluster(stack) == before
    assert stack.sql("SELECT count(*) FROM schema_migrations") == "135"
    assert lost(stack, stack.in_set) == []
    assert requests.get(f"{stack.url}/api", timeout=20).json()["version"] == "4.14.2"
    assert [name for name in clusters(stack) if name.endswith(".partial")] == []
    stack.invoke("smoke", "--quick")


def test_an_upgrade_shows_its_plan_makes_a_set_keeps_the_old_cluster_and_can_be_rolled_back(old_standing):
    stack, before = old_standing, cluster(old_standing)
    earlier = sets(stack)
    refused = stack.invoke("upgrade", "--to", "v4.15.1-ce", code=14)
    for word in ("From v4.14.2-ce to v4.15.1-ce", "3 migrations will run: 20260604000000", "backup sets are there"):
        assert word in refused.said
    assert sets(stack) == earlier
    stack.invoke(*NEW)
    assert stack.settings["CHATWOOT_RELEASE"] == "v4.15.1-ce"
    assert len(sets(stack)) == len(earlier) + 1
    assert before.removeprefix("clusters/") in clusters(stack)
    assert cluster(stack) != before
    assert requests.get(f"{stack.url}/api", timeout=20).json()["version"] == "4.15.1"
    assert lost(stack, stack.in_set) == []
    stack.invoke("smoke", "--quick")
    refusals(stack)
    written = stack.client.write("written to the new release")
    answer = stack.invoke("rollback", code=14)
    assert "1 messages" in answer.said
    stack.invoke("rollback", "--yes")
    as_before(stack, before)
    assert lost(stack, [written]) == [written]
    assert "no upgrade to roll back" in stack.invoke("rollback", "--yes", code=15).err


def refusals(stack):
    """What is refused on a stack of 4.15.1, without a change."""
    before = live(stack)
    for to, word in (
        ("v4.14.2-ce", "a downgrade"),
        ("v9.9.9-ce", "cannot be pulled"),
        ("v4.15.1", None),
        ("chatwoot-sandbox/chatwoot-fake:latest", "no Community Edition"),
    ):
        answer = stack.invoke("upgrade", "--to", to, "--yes", code=15)
        assert word is None or word in answer.err
    assert live(stack) == before


def test_a_release_that_fails_in_the_middle_of_migrating_is_undone_while_customers_write(old_standing):
    before = cluster(old_standing)
    with writing(old_standing, 1) as (person,):
        answer = old_standing.invoke("upgrade", "--to", "v4.15.2-ce", "--yes", code=23)
    assert "was rolled back" in answer.err
    as_before(old_standing, before)
    assert person.acknowledged
    assert lost(old_standing, person.acknowledged) == []


def test_a_release_that_never_gets_healthy_is_undone(old_standing, sick):
    before, known = cluster(old_standing), rows(old_standing)["messages"]
    answer = old_standing.invoke("upgrade", "--to", sick, "--yes", code=23, timeout=580)
    assert "chatwoot-sidekiq" in answer.err
    as_before(old_standing, before)
    assert rows(old_standing)["messages"] == known


def test_once_customers_wrote_to_it_a_sick_release_stays_and_both_ways_are_named(old_standing, sick):
    stack, before = old_standing, cluster(old_standing)
    with stack.in_background("upgrade", "--to", sick, "--yes") as task:
        wait_for(lambda: stack.journal() and stack.last_step() == "start", "the new release starts", 240)
        wait_for(lambda: version(stack) == "4.15.3", "its web serves", 60)
        written = stack.client.write("written to the sick release")
        out, _ = task.communicate(timeout=400)
    assert task.returncode == 21, out
    said = re.sub(r"\s+", " ", out)
    assert "after customers wrote (1 messages)" in said
    assert "invoke up" in said
    assert "invoke rollback --yes" in said
    assert lost(stack, [written]) == []
    assert stack.settings["CHATWOOT_RELEASE"] == "v4.15.3-ce"
    assert stack.journal() == ""
    stack.invoke("rollback", "--yes")
    as_before(stack, before)
    assert lost(stack, [written]) == [written]


def version(stack):
    try:
        return requests.get(f"{stack.url}/api", timeout=5).json().get("version", "")
    except (requests.RequestException, ValueError):
        return ""


def test_a_restore_after_an_upgrade_takes_the_way_back_away_and_a_rollback_is_then_refused(old_standing):
    stack = old_standing
    stack.invoke(*NEW)
    stack.invoke("backup")
    stack.invoke("restore", "--yes")
    before = live(stack)
    assert "no upgrade to roll back" in stack.invoke("rollback", "--yes", code=15).err
    assert live(stack) == before
    assert json.loads(stack.invoke("status", "--json").out)["result"]["healthy"]
    # This stack is of the new release now and stays so: the next test gets another one.
    stack.remove()
    assert os.path.lexists(stack.env_file)
