"""Showing, installing and removing the schedule: what is there, what would be written, and who may do it."""

import time

import pytest

from chatwoot_ops.adapters.run_notes import RunNotes
from chatwoot_ops.errors import CommandFailedError, ConfirmationMissingError, PreflightFailedError, SettingsInvalidError
from chatwoot_ops.model import units
from chatwoot_ops.model.check import Outcome
from chatwoot_ops.model.command import Finished
from chatwoot_ops.model.journal import Opening, Step
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.recover import recover
from chatwoot_ops.operations.schedule import DIFFERS, ELSEWHERE, INSTALLED, NOT_INSTALLED, show_schedule
from chatwoot_ops.operations.schedule_install import Asked, install_schedule, schedule_as_asked
from chatwoot_ops.operations.watching import scheduled_checks
from fakes import fake_host
from killed import KilledError
from world import INSTANCE, ROOT, stack_in

NAMES = [f"chatwoot-ops-{task}.{kind}" for task in ("backup", "prune", "verify") for kind in ("service", "timer")]
ROOTLESS = "unix:///run/user/1000/docker.sock"
OTHER = {"DOCKER_HOST": "unix:///r.sock"}
TIMERS = "chatwoot-ops-backup.timer chatwoot-ops-verify.timer chatwoot-ops-prune.timer"


@pytest.fixture
def values():
    return {"CHATWOOT_INSTANCE_ID": INSTANCE}


def able_host(*answers):
    """A host on which install, mv and rm do what they are asked, and systemctl says yes."""
    host = fake_host(*answers)
    host.processes.on("sync /", "").on("systemctl", "").on("true\n", "").on("label=chatwoot-ops", "")
    host.processes.on("docker version", "27.5.1")
    host.processes.on_call("install -m 0644", _install).on_call("mv -fT", _move).on_call("rm -f", _remove)
    return host


def _install(command):
    units.Path(command.argv[-1]).write_text(command.stdin)
    return Finished(0, "", "")


def _move(command):
    units.Path(command.argv[-2]).replace(command.argv[-1])
    return Finished(0, "", "")


def _remove(command):
    for path in command.argv[command.argv.index("-f") + 1 :]:
        units.Path(path).unlink(missing_ok=True)
    return Finished(0, "", "")


@pytest.fixture
def host():
    return able_host()


def there():
    return sorted(path.name for folder in (units.SYSTEMD_FOLDER, units.CRON_FOLDER) for path in folder.iterdir())


def test_it_is_shown_with_files_times_and_next_runs_and_nothing_is_touched(stack, host, monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Budapest")
    time.tzset()
    try:
        found = schedule_as_asked(stack, host, Asked())
    finally:
        monkeypatch.undo()
        time.tzset()
    assert (found.manager, found.state, found.changes) == ("systemd", NOT_INSTALLED, ())
    assert found.tasks[0].next_runs[:2] == ("2026-11-25 02:30+01:00", "2026-11-26 02:30+01:00")
    assert len(found.files) == 6
    assert host.processes.ran == []
    assert not stack.state_folder.exists()


def test_the_units_run_the_checkout_as_its_owner_with_these_settings(stack, host):
    text = "".join(show_schedule(stack, host).files.values())
    assert text.count("User=ada\n") == 3
    assert text.count(f"WorkingDirectory={ROOT}\n") == 3
    assert f'ExecStart="{ROOT}/scripts/bootstrap" schedule --run backup\n' in text
    assert text.count(f'Environment="CHATWOOT_ENV_FILE={stack.env_file}"\n') == 3


def test_no_secret_is_in_any_file(stack, host):
    secrets = stack.settings.secrets()
    for manager in ("systemd", "cron"):
        host.machine.runs_tasks = manager
        text = "".join(show_schedule(stack, host).files.values())
        assert secrets
        assert [name for name, value in secrets.items() if value in text] == []


def test_it_is_installed_with_systemd_once_it_was_confirmed(stack):
    host = able_host("yes")
    host.reporter.confirm = lambda question: host.reporter.ask(question) == "yes"
    done = schedule_as_asked(stack, host, Asked(install=True))
    assert done.state == INSTALLED
    assert there() == NAMES
    assert host.reporter.notes[0] == f"write {units.SYSTEMD_FOLDER}/chatwoot-ops-backup.service"
    assert host.processes.lines[-3:] == [
        "sudo -n systemctl daemon-reload",
        f"sudo -n systemctl enable {TIMERS}",
        f"sudo -n systemctl restart {TIMERS}",
    ]
    assert RunNotes(stack.state_folder).since().isoformat() == "2026-11-24T08:00:00+00:00"
    assert store_of(stack, host).read() is None


def test_each_file_is_replaced_in_one_step_after_it_is_on_disk(stack, host):
    install_schedule(stack, host, yes=True)
    path = units.SYSTEMD_FOLDER / NAMES[0]
    partial = units.SYSTEMD_FOLDER / f".{NAMES[0]}.partial"
    wanted = [
        f"sudo -n install -m 0644 /dev/stdin {partial}",
        f"sudo -n sync {partial}",
        f"sudo -n mv -fT {partial} {path}",
        f"sudo -n sync {units.SYSTEMD_FOLDER}",
    ]
    first = host.processes.lines.index(wanted[0])
    assert host.processes.lines[first : first + 4] == wanted


def test_root_needs_no_sudo(stack, host):
    host.machine.account_name = host.machine.owner_name = "root"
    install_schedule(stack, host, yes=True)
    assert not host.processes.ran_with("sudo")


def test_without_systemd_cron_gets_one_file(stack, host):
    host.machine.runs_tasks = "cron"
    done = install_schedule(stack, host, yes=True)
    assert there() == ["chatwoot-ops"]
    assert done.state == INSTALLED
    assert not host.processes.ran_with("systemctl")
    assert [task.later for task in done.tasks] == [0] * 6


def test_a_machine_that_changes_its_manager_never_runs_a_task_twice(stack, host):
    host.machine.runs_tasks = "cron"
    install_schedule(stack, host, yes=True)
    host.machine.runs_tasks = "systemd"
    assert show_schedule(stack, host).state == DIFFERS
    install_schedule(stack, host, yes=True)
    assert there() == NAMES


def test_a_task_that_is_switched_off_loses_its_units(tmp_path, stack, host):
    install_schedule(stack, host, yes=True)
    fewer = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, VERIFY_SCHEDULE="off")
    assert show_schedule(fewer, host).state == DIFFERS
    done = install_schedule(fewer, host, yes=True)
    assert there() == NAMES[:4]
    assert host.processes.ran_with("systemctl disable --now chatwoot-ops-verify.timer")
    assert f"remove {units.SYSTEMD_FOLDER}/chatwoot-ops-verify.timer" in done.changes


def test_it_is_removed_whole(stack, host):
    install_schedule(stack, host, yes=True)
    done = schedule_as_asked(stack, host, Asked(remove=True, yes=True))
    assert there() == []
    assert (done.state, RunNotes(stack.state_folder).since()) == (NOT_INSTALLED, None)
    assert host.processes.ran_with(f"systemctl disable --now {TIMERS}")


def test_removing_what_is_not_there_asks_nobody_and_ends_well(stack, host):
    assert install_schedule(stack, host, remove=True).changes == ()
    assert host.reporter.questions == []


@pytest.mark.parametrize("remove", [False, True])
def test_a_dry_run_says_what_would_be_done_and_does_nothing(stack, host, remove):
    if remove:
        install_schedule(stack, host, yes=True)
    before, ran = there(), len(host.processes.ran)
    found = schedule_as_asked(stack, host, Asked(install=not remove, remove=remove, dry_run=True))
    assert f"{'remove' if remove else 'write'} {units.SYSTEMD_FOLDER}/chatwoot-ops-backup.timer" in found.changes
    assert there() == before
    assert len(host.processes.ran) == ran


def test_without_a_yes_nothing_is_written(stack, host):
    with pytest.raises(ConfirmationMissingError):
        install_schedule(stack, host)
    assert there() == []


def test_both_at_once_are_refused(stack, host):
    with pytest.raises(SettingsInvalidError, match="Choose one of"):
        schedule_as_asked(stack, host, Asked(install=True, remove=True))


def test_everything_that_forbids_it_is_said_at_once(stack, host):
    host.machine.account_name, host.machine.runs_tasks = "grace", ""
    host.machine.environment = {"DOCKER_HOST": "unix:///run/nowhere.sock"}
    host.processes.on("true\n", code=1).on("docker version", code=1)
    with pytest.raises(PreflightFailedError) as caught:
        install_schedule(stack, host, yes=True)
    assert caught.value.details == (
        "the checkout belongs to ada, this runs as grace: run it as ada",
        "neither systemd nor cron is here: apt-get install cron",
        "sudo asks for a password: type 'sudo -v', then run this again",
        "DOCKER_HOST=unix:///run/nowhere.sock: no engine answers: Type 'scripts/install-docker'",
    )
    assert there() == []


def test_a_path_that_units_cannot_carry_is_refused(tmp_path, host):
    odd = tmp_path / "100% ours"
    odd.mkdir()
    with pytest.raises(PreflightFailedError) as caught:
        install_schedule(stack_in(odd), host, yes=True)
    assert "units cannot carry" in caught.value.details[0]


@pytest.mark.parametrize("manager", ["systemd", "cron"])
def test_the_engine_of_this_shell_is_said_and_carried_by_the_runs(stack, host, manager):
    host.machine.runs_tasks, host.machine.environment = manager, {"DOCKER_HOST": ROOTLESS}
    assert install_schedule(stack, host, yes=True).state == INSTALLED
    text = "".join(path.read_text() for path in units.SYSTEMD_FOLDER.iterdir() if path.suffix == ".service")
    text += "".join(path.read_text() for path in units.CRON_FOLDER.iterdir())
    assert text.count("DOCKER_HOST=") == 3
    assert f"the runs speak to the engine of DOCKER_HOST={ROOTLESS}" in host.reporter.notes


@pytest.mark.parametrize("manager", ["systemd", "cron"])
@pytest.mark.parametrize(("then", "now"), [({}, OTHER), (OTHER, {})])
def test_runs_that_speak_to_another_engine_than_this_shell_are_a_failure(stack, host, manager, then, now):
    host.machine.runs_tasks, host.machine.environment = manager, then
    install_schedule(stack, host, yes=True)
    assert scheduled_checks(stack, host)[0].outcome is Outcome.PASS
    host.machine.environment = now
    check = scheduled_checks(stack, host)[0]
    assert check.outcome is Outcome.FAIL
    assert check.seen.startswith(ELSEWHERE)
    assert "DOCKER_HOST=unix:///r.sock" in check.seen
    assert "no DOCKER_HOST" in check.seen
    install_schedule(stack, host, yes=True)
    assert scheduled_checks(stack, host)[0].outcome is Outcome.PASS


def test_a_schedule_can_be_removed_where_no_engine_answers(stack, host):
    install_schedule(stack, host, yes=True)
    host.processes.on("docker version", code=1)
    assert install_schedule(stack, host, remove=True, yes=True).state == NOT_INSTALLED


def test_a_file_of_somebody_else_is_left_alone(stack, host):
    (units.SYSTEMD_FOLDER / NAMES[0]).write_text("[Unit]\n")
    for asked in (Asked(), Asked(install=True, yes=True), Asked(remove=True, yes=True)):
        with pytest.raises(PreflightFailedError, match="did not write") as caught:
            schedule_as_asked(stack, host, asked)
        assert caught.value.details == (str(units.SYSTEMD_FOLDER / NAMES[0]),)
    assert there() == NAMES[:1]


def killed(_command):
    raise KilledError


KILLS = ("install -m 0644", "mv -fT", "daemon-reload", "systemctl enable", "systemctl restart")


@pytest.mark.parametrize("at", KILLS)
@pytest.mark.parametrize("how", [{"finish": True}, {"undo": True}], ids=["finish", "undo"])
def test_killed_anywhere_recover_ends_it_with_all_or_with_what_was_before(place, stack, host, at, how):
    host.processes.on_call(at, killed)
    with pytest.raises(KilledError):
        install_schedule(stack, host, yes=True)
    again = able_host()
    assert recover(place, again, **how).ended
    assert there() == (NAMES if "finish" in how else [])
    assert (RunNotes(stack.state_folder).since() is not None) == ("finish" in how)
    assert store_of(stack, again).read() is None


def test_undoing_a_change_puts_the_files_before_back(tmp_path, place, stack, host):
    install_schedule(stack, host, yes=True)
    before = {name: (units.SYSTEMD_FOLDER / name).read_text() for name in NAMES}
    host.processes.on_call("systemctl enable", killed)
    changed = stack_in(tmp_path, CHATWOOT_INSTANCE_ID=INSTANCE, BACKUP_SCHEDULE="hourly 10", PRUNE_SCHEDULE="off")
    with pytest.raises(KilledError):
        install_schedule(changed, host, yes=True)
    assert recover(place, able_host(), undo=True).ended
    assert {name: (units.SYSTEMD_FOLDER / name).read_text() for name in there()} == before


def test_a_removal_that_was_cut_off_is_removed_to_the_end(place, stack, host):
    install_schedule(stack, host, yes=True)
    store_of(stack, host).open(Opening("schedule", "abc", "ada", 7, "t0", {"remove": True}))
    recover(place, able_host(), finish=True)
    assert there() == []


def test_an_undo_that_fails_keeps_the_only_record_of_what_was_before(place, stack, host):
    store = store_of(stack, host)
    step = Step("write-schedule", "t", {"before": {str(units.SYSTEMD_FOLDER / NAMES[0]): "# x"}})
    store.open(Opening("schedule", "abc", "ada", 7, "t0", {"remove": True}), (step,))
    failing = able_host()
    failing.processes.on("install -m 0644", code=1)
    with pytest.raises(CommandFailedError):
        recover(place, failing, undo=True)
    assert store.read().facts("write-schedule") == step.facts
