"""Up, down, status, logs and the tasks that hand the terminal over."""

import json

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import CommandFailedError, ConfirmationMissingError, PreflightFailedError
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.model.stack import SERVICES
from chatwoot_ops.operations.changing import changing, store_of
from chatwoot_ops.operations.containers import containers_of
from chatwoot_ops.operations.reading import Wanted, logs, psql, rails_console
from chatwoot_ops.operations.running import down, restart, up
from chatwoot_ops.operations.status import status
from world import INSTANCE, container, containers, healthy_host, image, volume_answer

VOLUMES = "docker volume rm --force chatwoot-db-data chatwoot-redis-data chatwoot-storage"
LOST = {"conversations": 3, "messages": 9, "contacts": 2, "files": 1, "newest": "2026-11-24"}


@pytest.fixture
def values():
    return {"CHATWOOT_INSTANCE_ID": INSTANCE}


def test_up_starts_the_data_first_and_then_the_rest(stack, well):
    assert up(stack, well).already
    starts = [line for line in well.processes.lines if line.startswith("compose up")]
    assert starts == ["compose up -d chatwoot-db chatwoot-redis", "compose up -d"]


def test_up_refuses_a_foreign_volume_before_it_starts_anything(stack, well):
    well.processes.on("--volume", volume_answer(marker="other"))
    with pytest.raises(PreflightFailedError):
        up(stack, well)
    assert not well.processes.ran_with("compose up")


def test_up_fails_with_the_log_of_what_never_got_healthy_and_masks_it(stack, well):
    secret = stack.settings["REDIS_PASSWORD"]
    well.processes.secrets = (secret,)
    containers(well, *(container(name, health="healthy" if "db" in name or "redis" in name else "starting")
                       for name in SERVICES))  # fmt: skip
    well.processes.on("compose logs", f"auth with {secret} failed\n")
    with pytest.raises(Exception, match="Not healthy after 300 s") as caught:
        up(stack, well)
    assert caught.value.code == 21
    assert "  auth with ******** failed" in caught.value.details


def test_one_off_containers_are_no_service(stack, well):
    containers(well, container("chatwoot-rails", one_off=True), container("chatwoot-db"))
    assert [each.service for each in containers_of(stack, well)] == ["chatwoot-db"]


def test_down_keeps_all_data(stack, well):
    assert down(stack, well).removed == ()
    assert "compose down --remove-orphans" in well.processes.lines
    assert not well.processes.ran_with("volume rm")


@pytest.mark.parametrize(
    ("answers", "why"), [([], "nobody could be asked"), ([False], "the answer was no")], ids=["nobody", "no"]
)
def test_volumes_are_not_removed_without_a_yes(stack, answers, why):
    host = healthy_host(*answers)
    host.processes.on("'conversations', (SELECT", json.dumps(LOST))
    with pytest.raises(ConfirmationMissingError, match=why) as caught:
        down(stack, host, volumes=True)
    assert caught.value.code == 14
    assert not host.processes.ran_with("compose down")
    assert not stack.state_folder.exists()


def test_what_would_be_lost_is_shown_before_the_question(stack):
    host = healthy_host(*[True])
    host.processes.on("'conversations', (SELECT", json.dumps(LOST)).on(VOLUMES, "")
    assert len(down(stack, host, volumes=True).removed) == 3
    assert host.reporter.notes == [
        "Volume chatwoot-db-data: 1.2GB",
        "Volume chatwoot-redis-data: 1.2GB",
        "Volume chatwoot-storage: not there",
        "It holds 3 conversations, 9 messages, 2 contacts, 1 files; the newest message is of 2026-11-24.",
    ]


def test_a_database_that_is_down_is_said_to_be_uncounted(stack):
    host = healthy_host()
    host.processes.on("'conversations', (SELECT", code=1)
    with pytest.raises(ConfirmationMissingError):
        down(stack, host, volumes=True)
    assert "could not be counted" in host.reporter.notes[-1]


def test_yes_on_the_command_line_asks_nobody_and_forgets_the_installation(stack, well):
    well.processes.on(VOLUMES, "")
    down(stack, well, volumes=True, yes=True)
    assert well.reporter.questions == []
    assert read_env_file(stack.env_file).values["CHATWOOT_INSTANCE_ID"] == ""
    assert well.processes.lines[-1] == VOLUMES


def test_one_service_is_restarted_and_all_are_waited_for(stack, well):
    restart(stack, well, "chatwoot-db")
    assert well.processes.lines[0] == "compose restart chatwoot-db"


def test_status_says_everything(stack, well):
    found = status(stack, well)
    assert (found.healthy, found.pending_migrations, found.cut_off, found.fake) == (True, (), "", "")
    assert found.volumes["chatwoot-storage"] == "not there"
    assert found.ports == {"CHATWOOT_PORT": 3002, "POSTGRES_HOST_PORT": 5435, "REDIS_HOST_PORT": 6381}


def test_status_works_while_nothing_runs_and_says_what_it_does_not_know(stack, well):
    containers(well)
    well.processes.on("invalid_indexes", code=1)
    found = status(stack, well)
    assert not found.healthy
    assert found.pending_migrations == "unknown: the database or the image cannot be asked"


def test_status_says_that_a_fake_runs(stack, well):
    well.processes.on("docker image inspect", image(labels={"chatwoot-ops.fake": "4.15.1"}))
    assert status(stack, well).fake == "4.15.1"


def test_status_shows_an_operation_that_was_cut_off(stack, well):
    store_of(stack, well).open(Opening("setup", "abc", "ada", 7, "t0"), (Step("images", "t1"),))
    assert status(stack, well).cut_off == "setup of t0, at step 'images'; type 'invoke recover'"


def test_an_operation_that_still_runs_is_not_cut_off(stack, well):
    with changing(stack, well, "migrate"):
        assert status(stack, well).cut_off == ""


def test_logs_are_masked_line_by_line(stack, well):
    well.processes.secrets = ("secret-value",)
    well.processes.on("compose logs", "a\nb secret-value\n")
    lines = []
    logs(stack, well, Wanted("chatwoot-db", 5, follow=True), lines.append)
    assert lines == ["a", "b ********"]
    assert well.processes.lines[-1].endswith("--tail 5 --follow chatwoot-db")


def test_logs_of_a_service_that_does_not_exist_name_those_that_do(stack, host):
    with pytest.raises(CommandFailedError, match="There is no service 'web'") as caught:
        logs(stack, host, Wanted("web", 5, follow=False), print)
    assert "chatwoot-sidekiq" in caught.value.remedy


def test_logs_that_cannot_be_read_are_an_error(stack, host):
    host.processes.on("compose logs", code=1)
    with pytest.raises(CommandFailedError, match="exited with 1"):
        logs(stack, host, Wanted("", 5, follow=False), print)


@pytest.mark.parametrize(
    ("open_it", "line"),
    [
        (rails_console, "compose exec chatwoot-rails bundle exec rails console"),
        (lambda s, h: psql(s, h, superuser=False), "compose exec chatwoot-db psql -U chatwoot -d chatwoot_production"),
    ],
    ids=["console", "psql"],
)
@pytest.mark.parametrize("code", [0, 1])
def test_a_console_has_the_terminal_and_its_code_never_leaks(stack, host, open_it, line, code):
    host.processes.on("compose exec", code=code)
    if code:
        with pytest.raises(CommandFailedError) as caught:
            open_it(stack, host)
        assert caught.value.code == 20
    else:
        open_it(stack, host)
    assert host.processes.lines == [line]
    assert host.processes.ran[0].interactive
