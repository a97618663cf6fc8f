"""The jobs that wait when a restore empties Redis: kept in a file, or nothing is thrown away."""

import json
import re

import pytest

from chatwoot_ops.errors import CommandFailedError, RestoreFailedError
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.queued_job import job_line
from chatwoot_ops.operations.queued_jobs import PAGE, keep_jobs
from chatwoot_ops.operations.restore import restore
from chatwoot_ops.operations.restore_result import RestoreOptions
from chatwoot_ops.operations.source import source_of_set
from contract import recorded
from keeping import well_keeping
from sets import sealed
from world import INSTALLED

MAIL = recorded.redis_keys()["dead"]["value"][0][0]
ALIVE = recorded.redis_keys()["schedule"]["value"][0][0]
HOOK = json.dumps({"class": "WebhookJob", "args": ["http://kgc.example/hook", {"event": "message_created"}]})


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def host(well):
    well_keeping(well)
    return well


def kept(stack):
    (path,) = stack.state_folder.glob("jobs-before-restore-*")
    assert path.stat().st_mode & 0o777 == 0o600
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_waiting_job_is_kept_with_what_it_would_have_done(stack, host):
    host.processes.on("LRANGE queue:low", f"{HOOK}\n").on("ZRANGE dead", f"{MAIL}\n").on(
        "ZRANGE schedule", f"{ALIVE}\n"
    )
    line = keep_jobs(stack, host)
    assert line.startswith("2 waiting jobs of the data before will not run; they are kept in ")
    assert line.endswith(".jsonl: 1 WebhookJob, 1 ActionMailer::MailDeliveryJob")
    hook, mail = kept(stack)
    assert (hook["where"], hook["does"], hook["arguments"][0]) == ("queue:low", "WebhookJob", "http://kgc.example/hook")
    assert mail["where"] == "dead"
    assert mail["arguments"][:3] == ["Devise::Mailer", "confirmation_instructions", "deliver_now"]
    assert mail["job"] == json.loads(MAIL)


def test_where_nothing_waits_but_the_workers_own_sign_of_life_there_is_no_file(stack, host):
    host.processes.on("ZRANGE schedule", f"{ALIVE}\n")
    assert keep_jobs(stack, host) == ""
    assert list(stack.state_folder.iterdir()) == []


@pytest.mark.parametrize(("raw", "job"), [("no json", "no json"), ("[1]", [1]), ('"text"', "text")])
def test_a_text_that_is_no_job_is_kept_too(raw, job):
    assert job_line("queue:low", raw) == {"where": "queue:low", "does": "unknown", "arguments": [], "job": job}


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_a_long_queue_is_read_in_pages_without_loss_or_repetition(stack, host, count):
    jobs = [json.dumps({"class": "A", "args": [number]}) for number in range(count)]

    def page(command):
        first, last = (int(word) for word in command.argv[-2:])
        return Finished(0, "".join(f"{job}\n" for job in redis_slice(jobs, first, last)), "")

    host.processes.on_call("LRANGE queue:low", page)
    line = keep_jobs(stack, host)
    assert int(re.match(r"\d*", line)[0] or 0) == count
    if count:
        assert sorted(each["arguments"][0] for each in kept(stack)) == list(range(count))


def redis_slice(items, first, last):
    """What LRANGE gives: negative numbers count from the end; both ends belong to it."""
    first, last = max(first + len(items), 0), last + len(items)
    return items[first : last + 1] if last >= 0 else []


def test_a_restore_whose_jobs_cannot_be_kept_leaves_the_old_data_and_throws_none_away(stack, host):
    sealed(stack.backup_folder)
    host.processes.on("LRANGE", code=1, stderr="broken")
    with pytest.raises(RestoreFailedError):
        restore(stack, host, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert not host.processes.ran_with("FLUSHALL")
    assert list(stack.state_folder.glob("*jobs-before*")) == []


def test_a_restore_says_which_jobs_it_kept(stack, host):
    sealed(stack.backup_folder)
    host.processes.on("LRANGE queue:low", f"{HOOK}\n")
    result = restore(stack, host, source_of_set(stack, "latest"), RestoreOptions(yes=True))
    assert [note for note in result.notes if "1 WebhookJob" in note]
    assert len(kept(stack)) == 1


def test_an_unwritable_state_folder_is_said_as_what_it_is(stack, host, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CommandFailedError, match="No space left"):
        keep_jobs(stack, host)
