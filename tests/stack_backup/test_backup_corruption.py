"""Damaged sets of each form through the whole task on a real engine: refused, and no byte of the live data changed."""

import shutil

import pytest

from damage import GONE, Damage, damages
from fault_table import record
from faults.forms import is_what_it_was
from stack.tools import docker
from stack_backup.support import live, lost, rows, sets

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(1800)]
CASES = 14
FORMS = {"logical set": (), "physical set": ("--kind", "physical"), "logical set, encrypted": ()}


def fingerprint(stack):
    """Every row of the database, and every stored file with its size and time."""
    files = docker("exec", stack.container("chatwoot-sidekiq"), "ls", "-lR", "/app/storage").out
    return rows(stack), files


@pytest.fixture(params=FORMS)
def damaged(request, standing, tmp_path):
    """A form, a copy of a set of it that was made now, and how it is opened."""
    encrypted = "encrypted" in request.param
    standing.set(BACKUP_ENCRYPT="all" if encrypted else "settings")
    try:
        standing.invoke("backup", *FORMS[request.param])
    finally:
        standing.set(BACKUP_ENCRYPT="settings")
    path = sets(standing)[-1]
    yield request.param, path, ("--identity", str(standing.identity)) if encrypted else ()
    shutil.rmtree(path)


def cases(form, folder):
    """Some damage of each file, and each file gone."""
    names = sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())
    for name in names:
        content = (folder / name).read_bytes()
        found = damages(content, f"engine {form} {name}", random_places=4)
        yield from ((name, each) for each in found[:: len(found) // (CASES // len(names))])
        yield name, Damage(GONE, "removed", b"")


def test_a_damaged_set_is_refused_by_the_whole_task_and_the_live_data_is_what_it_was(standing, damaged, tmp_path):
    form, path, flags = damaged
    before, running = fingerprint(standing), live(standing)
    tried = 0
    for name, damage in cases(form, path):
        copy = shutil.copytree(path, tmp_path / str(tried) / path.name)
        if damage.kind == GONE:
            (copy / name).unlink()
        else:
            (copy / name).write_bytes(damage.content)
        if is_what_it_was(copy, path):
            continue  # the space after the manifest: a restore would rightly begin
        answer = standing.invoke("restore", "--set", str(copy), "--yes", *flags, code=None)
        assert answer.code == 13, f"{form}, {name}, {damage.kind} {damage.where}: {answer.said}"
        assert "Traceback" not in answer.said
        shutil.rmtree(copy)
        tried += 1
    assert fingerprint(standing) == before
    assert live(standing) == running
    missing = lost(standing, standing.in_set)
    assert missing == []
    fault = "any of these, by `invoke restore` on a real engine"
    record("corruption", fault, form, cases=tried, rows_lost=len(missing))
