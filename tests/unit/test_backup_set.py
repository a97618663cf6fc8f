"""Manifests: what is damaged is refused by name and never a traceback; every difference is told."""

import json
from dataclasses import asdict, replace

import pytest

from chatwoot_ops.errors import BackupSetInvalidError
from chatwoot_ops.model.backup_set import FORMAT, Artifact, StorageProof, TableDigest
from chatwoot_ops.model.cluster import parse_cluster
from chatwoot_ops.model.data_differences import differences
from chatwoot_ops.model.manifest import parse_manifest, to_json
from sets import ARCHIVE_NAME, CLUSTER, DATA, OUTLINED, manifest
from world import ROOT

WHOLE = manifest(
    artifacts=(Artifact("database.dump", 37, "ab" * 32),),
    storage=StorageProof(2, 15, 1, ("m",), (), ("o",)),
    fingerprints={"SECRET_KEY_BASE": "0123456789abcdef"},
    note="before the upgrade",
)
CLUSTERED = manifest(
    kind="physical", data=OUTLINED, cluster=CLUSTER, artifacts=(Artifact(ARCHIVE_NAME, 42, "ab" * 32),)
)
# Written by the last version that knew no other format.
OF_FORMAT_1 = ROOT / "tests/manifest-format-1.json"
TEXT = to_json(WHOLE)
OTHER_TYPES = (None, 7, "text", [], {}, [7], {"x": 7}, True, [[]], {"x": {}}, {"x": [1]})


def paths(value, at=()):
    """Every place in a JSON value, by its path."""
    if at:
        yield at
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(each, (*at, key))


def changed(path, value):
    raw = json.loads(TEXT)
    place = raw
    for key in path[:-1]:
        place = place[key]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(raw)


def test_a_manifest_is_read_as_it_was_written():
    assert parse_manifest(TEXT) == WHOLE


def test_a_manifest_of_format_1_is_read_as_the_version_that_made_it_wrote_it():
    found = parse_manifest(OF_FORMAT_1.read_text())
    assert found == manifest(format=1, artifacts=(Artifact("database.dump", 37, "0" * 64),))
    assert (found.cluster, found.physical, found.database_artifact) == (None, False, "database.dump")


def test_a_manifest_of_format_1_that_was_changed_is_damaged():
    with pytest.raises(BackupSetInvalidError, match="damaged"):
        parse_manifest(OF_FORMAT_1.read_text().replace('"rows": 258', '"rows": 259'))


def test_a_physical_manifest_is_read_as_it_was_written():
    assert parse_manifest(to_json(CLUSTERED)) == CLUSTERED
    assert CLUSTERED.database_artifact == ARCHIVE_NAME


@pytest.mark.parametrize(
    "told",
    [
        {"kind": "physical", "cluster": None},
        {"kind": "logical", "cluster": CLUSTER},
        {"kind": "incremental", "cluster": None},
        {"cluster": replace(CLUSTER, major="16")},
        {"cluster": replace(CLUSTER, data_checksums=1)},
        {"cluster": replace(CLUSTER, timeline=True)},
    ],
    ids=str,
)
def test_a_kind_or_cluster_that_cannot_be_is_damage(told):
    with pytest.raises(BackupSetInvalidError, match="damaged"):
        parse_manifest(to_json(replace(CLUSTERED, **told)))


@pytest.mark.parametrize("key", ["system_identifier", "backup_manifest"])
def test_a_cluster_that_lacks_a_fact_or_has_one_more_is_damage(key):
    raw = asdict(CLUSTER)
    assert parse_cluster(raw) == CLUSTER
    with pytest.raises(KeyError):
        parse_cluster({name: value for name, value in raw.items() if name != key})
    with pytest.raises(KeyError):
        parse_cluster({**raw, "more": 1})


def test_a_manifest_that_is_cut_off_anywhere_is_damaged():
    for end in range(0, len(TEXT) - 2, 7):
        with pytest.raises(BackupSetInvalidError, match="manifest is damaged") as caught:
            parse_manifest(TEXT[:end])
        assert caught.value.code == 13


OPTIONAL = {("note",)}


@pytest.mark.parametrize("key", [key for key in json.loads(TEXT) if (key,) not in OPTIONAL])
def test_a_manifest_that_lacks_a_field_is_damaged(key):
    with pytest.raises(BackupSetInvalidError, match="damaged"):
        parse_manifest(changed((key,), ...))


@pytest.mark.parametrize("path", list(paths(json.loads(TEXT))), ids=lambda path: ".".join(map(str, path)))
def test_a_field_of_another_type_or_gone_is_damaged_or_harmless_and_never_a_traceback(path):
    for value in (..., *OTHER_TYPES):
        try:
            found = parse_manifest(changed(path, value))
        except BackupSetInvalidError:
            continue
        assert typed_as_promised(found)


def typed_as_promised(found):
    texts = (found.name, found.kind, found.created, found.instance, found.release, found.image, found.tool, found.note)
    numbers = (found.sequence, found.format, found.storage.files, found.storage.proved, found.data.triggers)
    tables = [each.rows for each in found.data.tables.values()]
    files = [each.size for each in found.artifacts]
    names = [*found.storage.missing, *found.data.migrations, *(each.sha256 for each in found.artifacts)]
    return all(isinstance(each, str) for each in (*texts, *names, *found.fingerprints.values())) and all(
        type(each) is int for each in (*numbers, *tables, *files)
    )


def test_unknown_fields_are_damage_and_no_traceback():
    with pytest.raises(BackupSetInvalidError, match="damaged"):
        parse_manifest(json.dumps({**json.loads(TEXT), "unknown": 1}))


@pytest.mark.parametrize("text", ["", "null", "[]", "7", '"x"', "{}", "[" * 100_000, "\ud800", '{"format": NaN}'])
def test_what_is_no_manifest_at_all_is_damaged(text):
    with pytest.raises(BackupSetInvalidError, match="damaged"):
        parse_manifest(text)


def test_a_newer_format_is_refused_with_both_numbers_whatever_else_it_holds():
    with pytest.raises(BackupSetInvalidError, match=rf"of format {FORMAT + 1}, this version knows {FORMAT}") as caught:
        parse_manifest(json.dumps({"format": FORMAT + 1, "all": "new"}))
    assert caught.value.code == 13
    assert "newer one" in caught.value.remedy


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".."])
def test_an_artifact_outside_its_set_is_damage(name):
    with pytest.raises(BackupSetInvalidError, match="damaged"):
        parse_manifest(changed(("artifacts", 0, "name"), name))


def test_equal_data_has_no_difference():
    assert differences(DATA, DATA) == ()


def test_tables_are_compared_unless_the_files_prove_them():
    assert len(differences(OUTLINED, replace(DATA, sequences=OUTLINED.sequences))) == len(DATA.tables)
    assert differences(OUTLINED, replace(DATA, sequences={"public.messages_id_seq": (292, 292)}), tables=False) == ()


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (
            {"tables": {**DATA.tables, "public.users": TableDigest(2, "-5")}},
            "table public.users: 3 rows expected, 2 rows found",
        ),
        (
            {"tables": {**DATA.tables, "public.users": TableDigest(3, "9")}},
            "table public.users: 3 rows expected, 3 rows found, their content differs",
        ),
        (
            {"tables": {"public.messages": DATA.tables["public.messages"]}},
            "table public.users: 3 rows expected, no table found",
        ),
        (
            {"tables": {**DATA.tables, "public.more": TableDigest(1, "1")}},
            "table public.more: no table expected, 1 rows found",
        ),
        (
            {"sequences": {"public.messages_id_seq": (0, 257)}},
            "sequence public.messages_id_seq: 258 to 260 expected, 257 found",
        ),
        (
            {"sequences": {"public.messages_id_seq": (0, 261)}},
            "sequence public.messages_id_seq: 258 to 260 expected, 261 found",
        ),
        ({"sequences": {}}, "sequence public.messages_id_seq: 258 to 260 expected, -1 found"),
        ({"migrations": DATA.migrations[:1]}, f"migration {DATA.migrations[1]}: missing"),
        ({"extensions": {"plpgsql": "1.0"}}, "extension vector: missing"),
        ({"triggers": 3}, "triggers: 4 expected, 3 found"),
    ],
)
def test_each_difference_is_a_line(found, line):
    assert differences(DATA, replace(DATA, **found)) == (line,)


@pytest.mark.parametrize("value", [258, 259, 260])
def test_a_sequence_may_end_anywhere_between_before_and_after_the_dump(value):
    assert differences(DATA, replace(DATA, sequences={"public.messages_id_seq": (value, value)})) == ()


def test_more_migrations_and_a_newer_extension_are_no_difference():
    more = replace(DATA, migrations=(*DATA.migrations, "3"), extensions={**DATA.extensions, "vector": "0.9"})
    assert differences(DATA, more) == ()


def test_all_differences_are_told_at_once():
    found = replace(DATA, tables={}, triggers=0, migrations=(), extensions={}, sequences={})
    assert len(differences(DATA, found)) == 2 + 1 + 2 + 2 + 1


@pytest.mark.parametrize(("proof", "whole"), [(((), ()), True), ((("m",), ()), False), (((), ("w",)), False)])
def test_storage_is_whole_when_no_row_lacks_its_file(proof, whole):
    assert StorageProof(1, 1, 1, *proof).whole is whole
