"""Keys in Redis against those of a running 4.15.1: name, type, fields, whether they expire."""

import json
import time

import pytest

from contract import compare
from contract.redis_names import HOST, KEYS, WANTED, plain
from fake_stack import wait_for

# Counters of a minute run out while the tests look at other keys: all is read at one moment.
EVERY_KEY = """
local found = {}
for _, name in ipairs(redis.call('KEYS', '*')) do
  local kind = redis.call('TYPE', name).ok
  local fields = kind == 'hash' and redis.call('HGETALL', name) or {}
  table.insert(found, {name = name, type = kind, ttl = redis.call('TTL', name), fields = fields})
end
return cjson.encode(found)
"""


# The job behind it runs when the clock shows a fifth minute, which a test cannot wait for.
EVERY_FIFTH_MINUTE = "cron_job:default:trigger_scheduled_items_job:jid_history"


@pytest.fixture(scope="module")
def found(stack, answers):
    """The fake's keys after all requests, a minute of cron and a heartbeat; a failed mail is in `retry`."""
    stack.settle()
    wait_for(lambda: stack.redis("EXISTS", "stat:failed") == "1", 25, "counters")
    wait_for(
        lambda: stack.redis("EXISTS", "cron_job:default:trigger_imap_email_inboxes_job:jid_history") == "1", 5, "cron"
    )
    stack.get("/app/login")
    return {plain(key["name"]): key for key in json.loads(stack.redis("EVAL", EVERY_KEY, "0"))}


def recorded_key(name):
    return next(value for key, value in KEYS.items() if plain(key) == name)


@pytest.mark.parametrize("name", [name for name in WANTED if name != EVERY_FIFTH_MINUTE])
def test_a_recorded_key_is_there_with_its_type(found, name):
    assert name in found
    assert found[name]["type"] == recorded_key(name)["type"]
    assert (found[name]["ttl"] > 0) == (recorded_key(name)["ttl"] > 0)


@pytest.mark.parametrize("name", [name for name in WANTED if recorded_key(name)["type"] == "hash"])
def test_a_hash_has_the_recorded_fields(found, name):
    fields = fields_of(found[name])
    if "ONLINE_STATUS" in name:
        assert set(fields.values()) == {"online"}
    else:
        assert fields.keys() == recorded_key(name)["value"].keys()


def fields_of(key):
    return dict(zip(key["fields"][::2], key["fields"][1::2], strict=True))


def test_the_heartbeat_says_what_the_recorded_one_says(stack, found):
    name = found["IDENTITY"]["name"]
    fields = fields_of({"fields": stack.redis("HGETALL", name).split("\n")})
    info = json.loads(fields["info"])
    assert (
        compare.shape_differences(json.loads(recorded_key("IDENTITY")["value"]["info"])["labels"], info["labels"], "l")
        == []
    )
    assert info.keys() == json.loads(recorded_key("IDENTITY")["value"]["info"]).keys()
    assert [HOST.sub("HOST", queue) for queue in info["queues"]] == [
        HOST.sub("HOST", queue) for queue in json.loads(recorded_key("IDENTITY")["value"]["info"])["queues"]
    ]
    assert abs(float(fields["beat"]) - time.time()) < 15
    assert stack.redis("SMEMBERS", "processes") == name


def test_a_mail_job_that_failed_says_why_as_the_recorded_dead_one(stack, found):
    dead = json.loads(KEYS["dead"]["value"][0][0])
    job = json.loads(stack.redis("ZRANGE", "retry", "0", "0") or stack.redis("ZRANGE", "dead", "0", "0"))
    assert job["error_message"] == dead["error_message"]
    assert job["error_class"] == dead["error_class"]
    assert job.keys() | {"retried_at"} == dead.keys()
