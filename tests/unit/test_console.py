"""What is printed, to which stream, and in which shape."""

import io
import json
import re
from dataclasses import fields, replace
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import pytest

from chatwoot_ops import console
from chatwoot_ops.console import reporter as reporting
from chatwoot_ops.console.rendering import RENDERERS
from chatwoot_ops.errors import CommandFailedError, OpsError
from chatwoot_ops.model.backup_set import Encryption, StorageProof
from chatwoot_ops.model.check import Check, Outcome, failed, passed, warned
from chatwoot_ops.model.intended import Intended
from chatwoot_ops.model.run_note import RunNote
from chatwoot_ops.model.stored_files import Pack, Packing
from chatwoot_ops.operations.administrator import Applicant
from chatwoot_ops.operations.adopt import Adopted
from chatwoot_ops.operations.backup import BackedUp
from chatwoot_ops.operations.backup_keys import KeysMade
from chatwoot_ops.operations.backup_sets import Backups
from chatwoot_ops.operations.containers import Container
from chatwoot_ops.operations.key_proof import KeyProved
from chatwoot_ops.operations.leaving import Left
from chatwoot_ops.operations.migrate import Migrated
from chatwoot_ops.operations.prune import Pruned, PrunedSet
from chatwoot_ops.operations.pulling import Pulled
from chatwoot_ops.operations.pushing import Pushed
from chatwoot_ops.operations.pushing_all import PushedAll
from chatwoot_ops.operations.recover import Recovered
from chatwoot_ops.operations.rehearse import Rehearsal, RehearsalStep
from chatwoot_ops.operations.remote import RemoteBackups, RemoteSet
from chatwoot_ops.operations.restore_result import Restored
from chatwoot_ops.operations.rollback import RolledBack
from chatwoot_ops.operations.running import Started, TakenDown
from chatwoot_ops.operations.schedule import Schedule, ScheduledTask
from chatwoot_ops.operations.secrets import SecretsFilled
from chatwoot_ops.operations.setup import SetUp
from chatwoot_ops.operations.status import Status
from chatwoot_ops.operations.upgrade import Upgraded
from chatwoot_ops.operations.wal_push import WalPushed
from fakes import FakeClock
from sets import DATA, a_set, certificate, manifest

CHECKS = (
    passed("a", "good"),
    failed("bb", "bad <&>", "mend it"),
    warned("c", "odd", "look"),
    Check("d", Outcome.NOT_CONFIGURED, "empty"),
    Check("e", Outcome.LEFT_OUT, "quick"),
)
RAILS = Container("chatwoot-rails", "id", "running", "healthy", 0, "an-image", 0, out_of_memory=False)
STATUS = Status(
    "p",
    "v4.15.1-ce",
    "",
    "http://x",
    "i",
    (RAILS,),
    {"CHATWOOT_PORT": 1},
    {"v": "1GB"},
    (),
    "",
    "",
    "",
    "off",
    healthy=True,
    checks=(passed("backup age", "2.0 h old"),),
    missing_indexes=("public.by_text",),
)
PROOF = StorageProof(4, 99, 1, ("m",), ("w",), ("o", "p"))
LINE = (
    "20261124T080000Z-logical     logical       2.0 kB  v4.15.1-ce   "
    "newest message 2026-11-23T10:00:00+00:00    verified 2026-11-24T09:00:00Z (archive), not off-site"
)
PRUNED = (PrunedSet("a", "t", 2048, ("newest", "last")), PrunedSet("b", "t", 7, ()), PrunedSet("c", "t", 7, ()))
NOT_READ = (
    "Every checksum was read back. The set is encrypted: its contents, the dump's table of contents among them,"
    " were NOT read. Give --identity FILE for that."
)
RESULTS = {
    "Status": STATUS,
    "SetUp": SetUp(("x made",), "http://x", "v4.15.1-ce", "a@x.example", 7, "Shown-once-1", CHECKS[:1]),
    "Rehearsal": Rehearsal("sandbox", True, (RehearsalStep("setup", 1.5),), 9.5, CHECKS[:1]),  # noqa: FBT003
    "Migrated": Migrated(("1",), 2, repaired=False, data_migrations_waiting=3),
    "SecretsFilled": SecretsFilled(("A", "B"), "/x/.env"),
    "Started": Started("http://x", already=False),
    "TakenDown": TakenDown(("v",)),
    "Recovered": Recovered("up", "start", ended=True, text="'up' was finished."),
    "BackupSet": a_set(),
    "Certificate": certificate(usable_seconds=9.5),
    "KeysMade": KeysMade("age1public", "/x/key", added=True),
    "KeyProved": KeyProved("a-set", "age1public", 2048, "2026-11-24T09:00:00Z"),
    "Adopted": Adopted("old", "v4.15.1-ce", 261, 2, 2, rehearsed=False, seconds=61.5, checks=(), next=("so",)),
    "Left": Left(BackedUp(a_set(), 2.5, ()), sent=False),
    "BackedUp": BackedUp(a_set(), 2.5, ("no settings",)),
    "Backups": Backups("/backups", (a_set(),), (2.5,), ("torn",), 2048),
    "Pushed": Pushed("a-set", "s3://kgc/i/a-set", 1024, 2048, 4.5, ("not encrypted",)),
    "PushedAll": PushedAll((Pushed("a-set", "s3://kgc/i/a-set", 1024, 2048, 4.5, ()),)),
    "WalPushed": WalPushed(3, 2048, "2026-11-24T08:00:00+00:00"),
    "Pulled": Pulled(a_set(), 2048, 3.5),
    "RemoteBackups": RemoteBackups("s3://kgc", (RemoteSet(manifest(), "", 2048, 2.5),), ("i/half",), ("i/torn: x",)),
    "Schedule": Schedule(
        "systemd",
        "installed",
        (ScheduledTask("backup", "daily 02:30", ("one", "two"), 15), ScheduledTask("prune", "off", (), 0)),
        {"/x/a.timer": "# mark\n[Timer]\n"},
        ("write /x/a.timer",),
    ),
    "RunNote": RunNote("backup", "t0", "t1", last_good="t1"),
    "Pruned": Pruned("/backups", PRUNED, ("torn",), ("b",)),
    "Restored": Restored(
        "a set", 2, 261, PROOF, "4 encrypted values opened", 12.5, 3.5, ("2 jobs are kept",), serving_seconds=9.5
    ),
    "Intended": Intended(("all of it",)),
    "Upgraded": Upgraded("v4.15.1-ce", "v4.14.2-ce", 7, "a-set", 21.5, ("a-set is not off-site",)),
    "RolledBack": RolledBack("v4.14.2-ce", {"messages": 2}),
}
# A machine reads these: a key that goes or changes its name is a new JSON_FORMAT.
KEYS = {
    "Status": (
        "archive checks cut_off fake healthy instance last_backup last_drill missing_indexes pending_migrations ports "
        "project release services url volumes"
    ),
    "SetUp": "account administrator changed checks password release url",
    "Rehearsal": "checks fake images recovery_seconds steps",
    "Migrated": "applied data_migrations_waiting repaired total",
    "SecretsFilled": "filled path",
    "Started": "already url",
    "TakenDown": "removed",
    "Recovered": "ended operation step text",
    "Pushed": "name remote seconds sent size wal warnings",
    "WalPushed": "segments sent until",
    "PushedAll": "sets",
    "Pulled": "fetched seconds set",
    "RemoteBackups": "damaged remote sets unfinished",
    "BackupSet": (
        "kept level manifest needs off_site off_site_ended path proved proved_key remote shared size verified"
    ),
    "Certificate": (
        "began checks ended fake files_proved format from_remote image instance kind origin passed recovery_seconds "
        "release rows set size_bytes tables usable_seconds why"
    ),
    "KeysMade": "added file public",
    "KeyProved": "at key set size",
    "Adopted": "checks files next rehearsed release rows seconds source tables",
    "Left": "last sent",
    "BackedUp": "files seconds set warnings",
    "Backups": "ages damaged folder on_disk sets",
    "Schedule": "changes files manager state tasks",
    "RunNote": "code ended format last_good started task text",
    "Pruned": "damaged folder removed sets",
    "Restored": "away_seconds files keys kind notes rows seconds serving_seconds source storage tables",
    "Intended": "lines",
    "Upgraded": "away_seconds before migrations release set warnings",
    "RolledBack": "lost release",
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_checks_are_a_table_with_remedies_and_a_count(capsys):
    assert console.answer(CHECKS)
    assert capsys.readouterr().out.splitlines() == [
        "pass            a   good",
        "fail            bb  bad <&>",
        "                    -> mend it",
        "warn            c   odd",
        "                    -> look",
        "not configured  d   empty",
        "left out        e   quick",
        "1 pass, 1 warn, 1 fail, 1 not configured, 1 left out",
    ]


@pytest.mark.parametrize(
    ("result", "failed_"),
    [
        (CHECKS, True),
        (CHECKS[:1], False),
        (CHECKS[2:], False),
        (STATUS, False),
        (replace(STATUS, checks=CHECKS), True),
        (None, False),
    ],
)
def test_only_a_failed_check_makes_the_answer_a_failure(result, failed_):
    assert console.answer(result, as_json=True) is failed_


@pytest.mark.parametrize("kind", RESULTS)
def test_json_is_one_line_in_an_envelope_whose_keys_are_pinned(kind, capsys):
    console.answer(RESULTS[kind], as_json=True)
    out = capsys.readouterr().out
    found = json.loads(out)
    assert out.count("\n") == 1
    assert (sorted(found), found["format"], found["kind"]) == (["format", "kind", "result"], 1, kind)
    assert " ".join(sorted(found["result"])) == KEYS[kind]


def test_json_of_checks_and_of_a_service_is_pinned_too():
    found = json.loads(console.to_json(CHECKS))
    assert (found["format"], found["kind"]) == (1, "Checks")
    assert found["result"][1] == {"name": "bb", "outcome": "fail", "seen": "bad <&>", "remedy": "mend it"}
    service = json.loads(console.to_json(STATUS))["result"]["services"][0]
    assert " ".join(sorted(service)) == "exit_code health id image out_of_memory restarts service started state"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("Status", "service    chatwoot-rails     running, healthy, 0 restarts"),
        ("SetUp", "Password, shown this once: Shown-once-1"),
        ("SetUp", "Administrator: a@x.example (account 7)"),
        ("SetUp", "  x made"),
        ("Rehearsal", "The rehearsal passed on sandbox images: a FAKE Chatwoot on a real PostgreSQL and Redis."),
        ("Migrated", "3 data migrations wait for the worker; type 'invoke up'"),
        ("SecretsFilled", "Filled in /x/.env: A, B"),
        ("Started", "Runs and is healthy: http://x"),
        ("TakenDown", "Down. Volumes removed: v"),
        ("Recovered", "'up' was finished."),
        ("BackupSet", LINE),
        ("BackupSet", "Read back: every checksum, the dump's table of contents and the storage archive to its end."),
        ("Certificate", "261 rows in 2 tables came back, 2 stored files proved"),
        ("Certificate", "It could be used after 9.5 s."),
        ("Certificate", "The drill passed: 20261124T080000Z-logical (2.0 kB) in 41.5 s."),
        ("KeysMade", "Public key: age1public"),
        ("KeysMade", "It stands in BACKUP_RECIPIENTS in .env now."),
        (
            "KeyProved",
            "The private key of age1public opens a-set: 2.0 kB were read to the end, and its keys are right.",
        ),
        ("Adopted", "old is taken over and serves as v4.15.1-ce in 61.5 s; the source is as it was."),
        ("Adopted", "261 rows in 2 tables, 2 stored files proved"),
        ("Adopted", "Next: so"),
        ("Left", "The stack is down, its data is kept; 'invoke up' is the way back."),
        ("BackedUp", "261 rows in 2 tables, 2 of 2 stored files proved"),
        ("BackedUp", "warning: no settings"),
        ("BackedUp", "Sealed in 2.5 s: /backups/20261124T080000Z-logical"),
        ("Backups", f"{LINE}  2.5 hours old"),
        ("Backups", "torn: cannot be read as a backup set"),
        ("Backups", "1 sets in /backups, 2.0 kB on the disk"),
        ("Pushed", "1.0 kB of 2.0 kB were sent, every byte was read back"),
        ("Pushed", "warning: not encrypted"),
        ("Pushed", "Off-site in 4.5 s: s3://kgc/i/a-set"),
        ("Pulled", "2.0 kB fetched, every checksum compared, in 3.5 s: /backups/20261124T080000Z-logical"),
        ("RemoteBackups", "i/half: no manifest, so no set; 'invoke push' finishes it"),
        ("RemoteBackups", "i/torn: x"),
        ("RemoteBackups", "1 sets at s3://kgc"),
        ("Status", "indexes    searching is slow without public.by_text"),
        ("Status", "watched    backup age: pass, 2.0 h old"),
        ("Schedule", "== /x/a.timer =="),
        ("Schedule", "[Timer]"),
        ("Schedule", "backup       daily 02:30        one, two, each up to 15 minutes later"),
        ("Schedule", "prune        off                does not run"),
        ("Schedule", "write /x/a.timer"),
        ("Schedule", "By systemd: installed"),
        ("RunNote", "The scheduled backup ended well at t1; it began at t0."),
        ("Pruned", "a                                2.0 kB  newest, last"),
        ("Pruned", "b                                   7 B  removed"),
        ("Pruned", "c                                   7 B  no rule keeps it"),
        ("Pruned", "torn: no whole set; never removed and never counted as one"),
        ("Pruned", "1 sets removed, 2 kept in /backups"),
        ("Restored", "261 rows in 2 tables, 4 encrypted values opened"),
        ("Restored", "1 stored files proved, 1 missing, 1 wrong, 2 without a row"),
        ("Restored", "2 jobs are kept"),
        ("Restored", "Restored a set in 12.5 s; the database was away for 3.5 s of them."),
        ("Restored", "Its data served after 9.5 s."),
        ("Intended", "dry run: all of it"),
        ("Intended", "dry run: nothing was changed"),
        ("Upgraded", "7 migrations ran; out of service for 21.5 s"),
        ("Upgraded", "v4.15.1-ce serves. Back to v4.14.2-ce: 'invoke rollback'"),
        ("RolledBack", "v4.14.2-ce serves again with its data from before the upgrade; given up: 2 messages"),
    ],
)
def test_people_get_lines(kind, line, capsys):
    console.answer(RESULTS[kind])
    assert line in capsys.readouterr().out.splitlines()


def changed(kind, **values):
    result = RESULTS[kind]
    return type(result)(**{**{f.name: getattr(result, f.name) for f in fields(result)}, **values})


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (changed("Status", fake="4.15.1"), "release    v4.15.1-ce  (a FAKE of 4.15.1, not a real Chatwoot)"),
        (changed("Status", services=(), healthy=False), "state      not running"),
        (changed("Status", healthy=False), "state      not healthy"),
        (changed("Status", pending_migrations=("1", "2")), "migrations 2 pending: 1, 2"),
        (changed("Status", pending_migrations="unknown: x"), "migrations unknown: x"),
        (changed("Status", cut_off="setup of t"), "cut off    setup of t"),
        (changed("Status", archive="async, streaming"), "archive    async, streaming"),
        (changed("Status", last_backup="a set, 2.0 hours old"), "backup     a set, 2.0 hours old"),
        (changed("Status"), "backup     none yet: type invoke backup"),
        (changed("SetUp", changed=()), "  nothing: everything was there already"),
        (changed("SecretsFilled", filled=()), "Filled in /x/.env: nothing, all are set"),
        (changed("Started", already=True), "Was running already: http://x"),
        (changed("TakenDown", removed=()), "Down. Volumes removed: none, all data is kept"),
        (changed("Upgraded", set=""), "v4.15.1-ce runs already, with all its migrations; nothing to do."),
        (
            changed("RolledBack", lost={}),
            "v4.14.2-ce serves again with its data from before the upgrade; given up: nothing",
        ),
        (a_set(data=replace(DATA, newest_message="")), LINE.replace(DATA.newest_message, "no message" + " " * 15)),
        (changed("Schedule", manager=""), "By nothing: neither systemd nor cron is here: installed"),
        (replace(a_set(), kept=True), f"{LINE}, kept"),
        (replace(a_set(), shared=1536), f"{LINE}, 1.5 kB shared, 512 B of its own"),
        (BackedUp(a_set(packing=Packing((), "why")), 1.0, ()), "The stored files were copied whole: why"),
        (
            BackedUp(a_set(packing=Packing((Pack("storage-000001.tar", 9, 9), Pack("storage.tar", 2, 2048)))), 1.0, ()),
            "2 stored files (2.0 kB) were new, the others are shared with the sets before, in 1 packs",
        ),
        (
            BackedUp(a_set(packing=Packing((Pack("storage-000001.tar", 9, 9),))), 1.0, ()),
            "0 stored files (0 B) were new, the others are shared with the sets before, in 1 packs",
        ),
        (
            changed("KeysMade", added=False),
            "Write it into .env: BACKUP_RECIPIENTS=age1public (after a comma where others stand there).",
        ),
        (replace(a_set(), level="checksums"), LINE.replace("archive", "checksums only")),
        (
            replace(a_set(encryption=Encryption(("age1x",), whole=True)), level="checksums"),
            NOT_READ,
        ),
        (a_set(encryption=Encryption(("age1x",), whole=True)), f"{LINE}, encrypted"),
        (
            replace(a_set(), off_site="2026-11-24T09:30:00Z"),
            LINE.replace("not off-site", "off-site 2026-11-24T09:30:00Z"),
        ),
        (replace(a_set(), verified=""), LINE.replace("2026-11-24T09:00:00Z (archive)", "never")),
        (
            Left(BackedUp(a_set(settings_included=True), 2.5, ()), sent=True),
            "On the new host: scripts/bootstrap restore --from-remote --identity FILE (set 20261124T080000Z-logical)",
        ),
        (changed("Rehearsal", fake=False), "The rehearsal passed on images from the registry."),
    ],
)
def test_what_is_special_is_said(result, line, capsys):
    console.answer(result)
    assert line in capsys.readouterr().out.splitlines()


def test_every_result_has_a_rendering():
    assert {"tuple", *RESULTS} == set(RENDERERS)


def test_junit_has_failures_and_skips(tmp_path):
    console.answer(CHECKS, junit=str(tmp_path / "smoke.xml"))
    suite = ET.parse(tmp_path / "smoke.xml").getroot()  # noqa: S314 - our own file
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")
    cases = {case.get("name"): case for case in suite}
    assert cases["bb"].find("failure").get("message") == "bad <&>"
    assert cases["bb"].find("failure").text == "mend it"
    assert {name for name, case in cases.items() if case.find("skipped") is not None} == {"d", "e"}
    assert cases["c"].find("system-out").text == "warn: odd"
    assert (tmp_path / "smoke.xml").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OpsError("What"), "What"),
        (CommandFailedError("What", details=("why", "state"), remedy="Type x."), "What\n  why\n  state\nType x."),
    ],
)
def test_an_error_says_what_why_in_which_state_and_what_to_type(error, text):
    assert console.explain(error) == text


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("yes", True), ("YES ", True), ("y", False), ("", False), ("no", False), ("yes please", False), ("yess", False)],
)
def test_only_a_full_yes_is_a_yes(monkeypatch, typed, answer):
    monkeypatch.setattr("sys.stdin", Terminal(f"{typed}\n"))
    assert console.ConsoleReporter(FakeClock()).confirm("Remove?") is answer


def test_where_nobody_sits_nobody_is_asked(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    reporter = console.ConsoleReporter(FakeClock())
    assert (reporter.confirm("Remove?"), reporter.ask("Who?", secret=True)) == (None, None)


def test_a_password_is_read_without_echo(monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr(reporting, "getpass", SimpleNamespace(getpass=lambda prompt: f"read after {prompt}"))
    assert console.ConsoleReporter(FakeClock()).ask("Password", secret=True) == "read after Password: "


def test_off_a_terminal_a_step_is_one_plain_line_with_its_time_on_standard_error(capsys):
    clock = FakeClock()
    reporter = console.ConsoleReporter(clock)
    reporter.step("Starting [all] services")
    clock.sleep(2.25)
    reporter.note("a note")
    reporter.finish()
    reporter.finish()
    out, err = capsys.readouterr()
    assert (out, err) == ("", "  a note\nStarting [all] services (2.2 s)\n")


@pytest.mark.parametrize(("no_color", "colored"), [(None, True), ("1", False)])
def test_colors_are_for_terminals_that_want_them(monkeypatch, no_color, colored):
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    console.show(CHECKS)
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9]m", stream.getvalue())) is colored


def test_a_long_line_is_not_broken_off_a_terminal(capsys):
    console.answer((passed("a", "x" * 400),))
    assert "x" * 400 in capsys.readouterr().out


def test_text_in_brackets_is_text_and_no_markup(capsys):
    console.answer((failed("a", "[red]x[/red]", "[/]"),))
    console.answer(changed("Status", url="http://[::1]:3002", cut_off="[bold]x[/nope]"))
    out = capsys.readouterr().out
    assert "[red]x[/red]" in out
    assert "http://[::1]:3002" in out
    assert "[bold]x[/nope]" in out


def test_a_session_uses_the_compose_beside_this_python(tmp_path):
    place, host, _ = console.open_session(tmp_path, "")
    assert host.compose.name == "docker-compose"
    assert host.compose.exists()
    assert place.env_file == tmp_path / "infra/docker/chatwoot/.env"
    assert console.open_session(tmp_path, str(tmp_path / "x"))[0].env_file == tmp_path / "x"
    assert Applicant().email == ""
