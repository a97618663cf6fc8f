"""Sets that are whole and must not be restored here: of each form, each refused before anything is touched."""

import json

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import BackupSetInvalidError, ReleaseRefusedError
from chatwoot_ops.model.backup_set import FORMAT, MANIFEST
from chatwoot_ops.model.encrypted import fingerprints
from chatwoot_ops.operations.backup_sets import list_sets, store_of
from chatwoot_ops.operations.changing import store_of as journal_of
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.prune import planned
from chatwoot_ops.operations.restore import RestoreOptions, restore_from
from fault_table import record
from faults.forms import FORMS, PRIVATE
from keeping import well_keeping, well_physical
from sets import rewrite
from world import INSTALLED, INSTANCE

OTHER = "99999999-8888-4777-8666-555555555555"
# What only looks: listings of contents, and what the volume and the image say of themselves.
LOOKS = ("--entrypoint pg_restore", "uname -m; postgres --version", "--entrypoint sh")


@pytest.fixture(params=FORMS)
def form(request):
    return request.param


@pytest.fixture
def values():
    return INSTALLED


@pytest.fixture
def path(stack, form):
    return FORMS[form](stack.backup_folder, 1)


@pytest.fixture
def refused(place, well, form, path, tmp_path):
    """Checks that a restore is refused with a code and words, and that nothing but looks was run."""
    (well_physical if "physical" in form else well_keeping)(well)
    (tmp_path / "key").write_text(PRIVATE)

    def check(error, *words, **flags):
        options = RestoreOptions(yes=True, identity=str(tmp_path / "key") if "encrypted" in form else "", **flags)
        with pytest.raises(error) as caught:
            restore_from(place, well, {"set": str(path), "dump": "", "storage": ""}, options)
        said = " ".join((caught.value.message, *caught.value.details, caught.value.remedy))
        assert [word for word in words if word not in said] == []
        assert [line for line in well.processes.lines if not any(look in line for look in LOOKS)] == []
        assert not well.processes.ran_with("--jobs")
        assert not journal_of(unchecked_stack(place, read_env_file(place.env_file)), well).ledger.exists()

    return check


def noted(fault, form):
    record("sets that must not be restored here", fault, form)


def test_of_an_older_release(refused, path, form):
    rewrite(path, release="v4.14.2-ce")
    refused(ReleaseRefusedError, "older than v4.15.1-ce", "--migrate")
    noted("of an older release", form)


def test_of_a_newer_release_also_where_it_shall_be_migrated(refused, path, form):
    rewrite(path, release="v4.16.0-ce")
    refused(ReleaseRefusedError, "newer than v4.15.1-ce", "invoke upgrade")
    refused(ReleaseRefusedError, "newer than v4.15.1-ce", migrate=True)
    noted("of a newer release", form)


def test_of_another_installation(refused, path, form):
    rewrite(path, instance=OTHER)
    refused(BackupSetInvalidError, f"belongs to installation {OTHER}", "--adopt")
    noted("of another installation", form)


def test_made_with_other_keys(refused, path, form):
    rewrite(path, fingerprints=fingerprints({"SECRET_KEY_BASE": "of-somebody-else"}, INSTANCE))
    refused(BackupSetInvalidError, "SECRET_KEY_BASE: is not the one", "--identity FILE")
    noted("made with other keys", form)


def test_of_a_newer_format(refused, path, form):
    raw = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**raw, "format": FORMAT + 1, "something": "new"}))
    refused(BackupSetInvalidError, f"format {FORMAT + 1}, this version knows {FORMAT}", "newer one")
    noted("of a newer format", form)


def test_a_set_of_a_newer_format_hides_no_other_and_is_never_pruned(stack, well, path, form):
    raw = json.loads((path / MANIFEST).read_text())
    (path / MANIFEST).write_text(json.dumps({**raw, "format": FORMAT + 1}))
    ours = FORMS[form](stack.backup_folder, 2)
    assert [each.path for each in list_sets(stack, well).sets] == [str(ours)]
    assert list_sets(stack, well).damaged == (path.name,)
    assert path.name not in {each.name for each in planned(stack).going}
    assert store_of(stack).find("latest").path == str(ours)
