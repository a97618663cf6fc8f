"""Every file of every form of set, damaged at many places: found by what restore and verify do before they begin."""

import shutil
from collections import Counter
from dataclasses import dataclass

import pytest

from chatwoot_ops.adapters.env_file import read_env_file
from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.operations.backup_sets import verify_set
from chatwoot_ops.operations.changing import store_of
from chatwoot_ops.operations.opening import unchecked_stack
from chatwoot_ops.operations.restore import RestoreOptions, intended_restore, restore_from
from damage import GONE, SWAPPED, Damage, damages
from fault_table import record
from faults.forms import EVERY_FORM, PRIVATE, Pair, is_what_it_was, listing
from keeping import well_keeping, well_physical
from world import INSTALLED, place_in

SAMPLE_OF_EACH = 14
SAME = "changed where it says the same afterwards, and taken"
LEAST = 1000
WORDS = ("damaged", "no sealed backup set", "format", "cannot be read")


@dataclass
class Bench:
    """A stack that is well, in fakes, with a set of one form in its folder."""

    place: object
    host: object
    pair: Pair
    whole: object
    identity: str

    @property
    def stack(self):
        return unchecked_stack(self.place, read_env_file(self.place.env_file))

    def attempts(self):
        """What an operator may do with the set; none of it may touch anything before the set was found whole."""
        where = {"set": str(self.pair.path), "dump": "", "storage": ""}
        options = RestoreOptions(yes=True, identity=self.identity)
        yield lambda: restore_from(self.place, self.host, where, options)
        yield lambda: intended_restore(self.place, self.host, where, options)
        yield lambda: verify_set(self.stack, self.host, str(self.pair.path), given=self.identity)

    def found(self):
        """Whether each attempt refuses the set in clear words, and leaves everything as it is."""
        before = listing(self.place.env_file.parent)
        for attempt in self.attempts():
            try:
                attempt()
            except BackupSetInvalidError as error:
                said = " ".join((error.message, *error.details))
                assert any(word in said for word in WORDS), said
            else:
                return False
        assert self.host.processes.ran == []
        assert store_of(self.stack, self.host).read() is None
        assert listing(self.place.env_file.parent) == before
        return True


@pytest.fixture(params=EVERY_FORM)
def form(request):
    return request.param


@pytest.fixture
def bench(tmp_path, well, form):
    (well_physical if "physical" in form else well_keeping)(well)
    (tmp_path / "machine").mkdir()
    (tmp_path / "key").write_text(PRIVATE)
    place = place_in(tmp_path / "machine", **INSTALLED)
    pair = Pair.of(form, tmp_path)
    whole = shutil.copytree(pair.path, tmp_path / "whole" / pair.path.name)
    return Bench(place, well, pair, whole, str(tmp_path / "key") if "encrypted" in form else "")


def changed(bench, form):
    """Each file of the set with other content: what is damaged, how, and what does it."""
    for name in bench.pair.files:
        path = bench.pair.path / name
        for each in damages(path.read_bytes(), f"{form} {name}"):
            yield name, each, lambda path=path, each=each: path.write_bytes(each.content)


def moved(bench, _):
    """Files that are gone, changed places, or are those of another set."""
    files, folder = bench.pair.files, bench.pair.path
    for name in files:
        path, theirs = folder / name, bench.pair.other / name
        yield name, Damage(GONE, "removed", b""), path.unlink
        yield name, Damage(GONE, "a folder", b""), lambda path=path: (path.unlink(), path.mkdir())
        yield name, Damage(GONE, "a link to nowhere", b""), lambda path=path: _linked(path, "nowhere")
        yield name, Damage(GONE, "under another name", b""), lambda path=path: path.rename(f"{path}.old")
        if theirs.read_bytes() != path.read_bytes():
            yield name, Damage(SWAPPED, "that of another set", b""), lambda path=path, to=theirs: shutil.copy(to, path)
        for other in files:
            if other != name:
                yield name, Damage(SWAPPED, f"with {other}", b""), lambda one=path, two=folder / other: _swap(one, two)


def _linked(path, to):
    path.unlink()
    path.symlink_to(to)


def _swap(one, two):
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def run(bench, form, cases):
    """Does each damage to a whole set; returns how many were found by (file, kind), and those that were not."""
    counts, missed = Counter(), []
    for name, damage, act in cases:
        act()
        try:
            found = bench.found()
            same = not found and is_what_it_was(bench.pair.path, bench.whole)
        except Exception as error:
            raise AssertionError(f"{form}, {name}: {damage.kind}, {damage.where}") from error
        counts[name, SAME if same else damage.kind] += 1
        if not (found or same):
            missed.append(f"{name}: {damage.kind}, {damage.where}")
        bench.pair.mend(bench.whole)
        bench.host.processes.ran.clear()
    return counts, missed


def all_cases(bench, form):
    return [*changed(bench, form), *moved(bench, form)]


def test_damage_of_a_sample_of_places_is_found_before_anything_is_touched(bench, form):
    cases = all_cases(bench, form)
    counts, missed = run(bench, form, cases[:: len(cases) // SAMPLE_OF_EACH])
    assert missed == []
    assert counts.total() >= SAMPLE_OF_EACH


def test_there_are_more_than_a_thousand_cases(bench, form):
    assert len(all_cases(bench, form)) * len(EVERY_FORM) >= LEAST


@pytest.mark.matrix
@pytest.mark.timeout(1800)
def test_damage_of_every_file_at_every_tried_place_is_found_before_anything_is_touched(bench, form):
    counts, missed = run(bench, form, all_cases(bench, form))
    assert missed == []
    for (name, kind), number in sorted(counts.items()):
        record("corruption", kind, f"{form}: `{name}`", cases=number)


def test_a_set_that_is_whole_is_not_called_damaged(bench):
    # The guard of the guards: with these fakes a restore begins where nothing is wrong.
    assert is_what_it_was(bench.pair.path, bench.whole)
    assert verify_set(bench.stack, bench.host, str(bench.pair.path), given=bench.identity).verified


def test_what_leaves_the_manifest_saying_the_same_is_no_damage(bench):
    path = bench.pair.path / "manifest.json"
    path.write_text(path.read_text().replace("\n", "\r\n") + "\n")
    assert is_what_it_was(bench.pair.path, bench.whole)
