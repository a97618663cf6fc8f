"""Certificates of drills: kept whole, and never half believed."""

import json

import pytest

from chatwoot_ops.adapters.certificate_store import CertificateStore
from chatwoot_ops.model import certificate as model
from chatwoot_ops.model.certificate import parse_certificate, to_json
from sets import certificate

WHOLE = {key: value for key, value in json.loads(to_json(certificate())).items() if key != "seal"}
BEFORE = {**WHOLE, "format": 1}


def sealed_again(raw):
    """What somebody would write who knows how a certificate is sealed."""
    return json.dumps({**raw, "seal": model._seal(raw)})


def test_a_certificate_comes_back_as_it_was_written():
    assert parse_certificate(to_json(certificate())) == certificate()


@pytest.mark.parametrize("later", ["origin", "usable_seconds"])
def test_one_of_a_version_that_did_not_say_so_much_is_read(later):
    text = json.dumps({key: value for key, value in BEFORE.items() if key != later})
    assert getattr(parse_certificate(text), later) in {"", 0.0}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_a_certificate_that_lacks_a_field_is_damaged_also_where_its_seal_fits(name):
    with pytest.raises(ValueError, match="damaged"):
        parse_certificate(sealed_again({key: value for key, value in WHOLE.items() if key != name}))


@pytest.mark.parametrize("name", sorted(BEFORE.keys() - {"origin", "usable_seconds"}))
def test_one_of_before_that_lacks_a_field_is_damaged(name):
    with pytest.raises(ValueError, match="damaged"):
        parse_certificate(json.dumps({key: value for key, value in BEFORE.items() if key != name}))


@pytest.mark.parametrize(
    ("name", "value"),
    [("passed", False), ("ended", "2026-12-24T08:01:10Z"), ("recovery_seconds", 1.5), ("set", "another"), ("new", 1)],
)
def test_a_certificate_that_was_edited_is_refused(name, value):
    text = json.dumps({**json.loads(to_json(certificate())), name: value})
    with pytest.raises(ValueError, match="not what was written"):
        parse_certificate(text)


def test_a_certificate_cannot_pass_for_one_of_before():
    sealed = json.loads(to_json(certificate()))
    with pytest.raises(ValueError, match="had none"):
        parse_certificate(json.dumps({**sealed, "format": 1}))
    with pytest.raises(ValueError, match="damaged"):
        parse_certificate(json.dumps(WHOLE))


def test_one_of_before_is_read_and_says_that_it_has_no_checksum():
    assert parse_certificate(json.dumps(BEFORE)).unsealed == model.NO_SEAL
    assert parse_certificate(to_json(certificate())).unsealed == ""


def test_what_leaves_its_content_as_it_was_is_no_damage():
    text = json.dumps(json.loads(to_json(certificate())), indent=7).replace("\n", "\r\n")
    assert parse_certificate(f"{text}\r\n ") == certificate()


def test_a_certificate_of_before_the_time_until_usable_was_noted_is_read():
    raw = {key: value for key, value in BEFORE.items() if key != "usable_seconds"}
    assert parse_certificate(json.dumps(raw)).usable_seconds == 0.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"passed": 1},
        {"rows": True},
        {"rows": 2.5},
        {"recovery_seconds": "3"},
        {"set": 7},
        {"checks": [{"name": "web", "outcome": "pass", "seen": 1, "remedy": ""}]},
        {"checks": [{"name": "web", "outcome": "perhaps", "seen": "", "remedy": ""}]},
        {"checks": ["web"]},
        {"format": 3},
        {"ended": "yesterday"},
        {"ended": "2026-11-24T08:01:10"},
    ],
    ids=str,
)
def test_a_certificate_with_a_wrong_field_is_refused(wrong):
    with pytest.raises(ValueError, match=r"."):
        parse_certificate(sealed_again({**WHOLE, **wrong}))
    with pytest.raises(ValueError, match=r"."):
        parse_certificate(json.dumps({**BEFORE, **wrong}))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "null", '"text"', "[" * 100_000])
def test_what_is_no_certificate_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_certificate(text)


def test_certificates_are_listed_oldest_first_and_a_damaged_one_by_name(tmp_path):
    store = CertificateStore(tmp_path / "state")
    assert store.read() == ((), ())
    newer = store.keep("20261125T080000Z", certificate(passed=False))
    older = store.keep("20261124T080000Z", certificate())
    (store.folder / "20261126T080000Z.json").write_text(older.read_text()[:-40])
    found, torn = store.read()
    assert [each.passed for each in found] == [True, False]
    assert torn == ("20261126T080000Z.json",)
    assert newer.stat().st_mode & 0o777 == 0o600
    assert store.folder.stat().st_mode & 0o777 == 0o700


def test_the_page_lies_beside_the_certificates_and_is_none_of_them(tmp_path):
    store = CertificateStore(tmp_path)
    store.keep("20261124T080000Z", certificate())
    assert store.write_page("<p>") == store.folder / "index.html"
    assert len(store.read()[0]) == 1
