"""Encrypted columns: real rows of a used Chatwoot 4.15.1, opened with its keys, and what happens with any other."""

import gzip
import json
import re

import pytest

from chatwoot_ops.model.encrypted import (
    FINGERPRINTED,
    Keys,
    WrongKeyError,
    derive_keys,
    fingerprints,
    is_encrypted,
    open_value,
)
from chatwoot_ops.model.settings import ENCRYPTION_KEYS
from chatwoot_ops.operations.keys import key_problems, read_samples
from world import INSTANCE, ROOT

# Keys of a throwaway instance, published with the recordings; its rows below were written by Chatwoot itself.
LAB = dict(
    zip(
        ("SECRET_KEY_BASE", *ENCRYPTION_KEYS),
        (
            "lab0secretkeybase0" * 4,
            "labprimarykeylabprimarykey123456",
            "labdeterministickeylabdeterm1234",
            "labsaltlabsaltlabsaltlabsalt1234",
        ),
        strict=True,
    )
)
HEADERS = '"at":"%s","e":"VVMtQVNDSUk=","i":"ZjgxYQ=="}}'
WEBHOOK = '{"p":"j6NPXMrKL/sNthckXxK9I45IQtU3QJdX","h":{"iv":"dqEmG3wVDwjuLGYH",' + HEADERS % "HxJovfDnVO3ZGd2cbdH6xw=="
CHANNEL = '{"p":"tXCT2U3uHpPqWIMH/fMfVUfXU1djvDh5","h":{"iv":"w0oaSVbF77chp/DT",' + HEADERS % "hAY6t2yOrU1iNFRC2RkNBA=="
OTP = (
    '{"p":"cTBKrVK6fwsS3oCphK8+4cOUcM/dMc8Y7aPOB+priWBgM8pBv2iM5+XcjaJHaYRBG/K2DbU7Pl+fBWXXBtztSXZji1ls9cJW6uei'
    'fp5v94C/2Q/3UP+WlMB//94m56Ej+SSy0iOcSCZ2B6umrQ==","h":{"iv":"26xY1QWGoPwN5zM3","at":"81rNZcOBfS5mp1HeaVLpoA==",'
    '"i":"MDdmNg=="}}'
)
KEYS = derive_keys(LAB)
USED = ROOT.parent / "shared/chatwoot-db/chatwoot-4.15.1-used.sql.gz"
SAMPLES = [("users.otp_secret", OTP), ("webhooks.secret", WEBHOOK), ("webhooks.secret", WEBHOOK)]


def test_chatwoots_own_rows_are_opened():
    assert open_value(WEBHOOK, KEYS) == "UrAHmnbLqvBSaCp7ATMAJfPu"
    assert open_value(CHANNEL, KEYS) == "qSV3gPcVBStsMBaW74Zr2xV5"


def test_a_secret_that_is_encrypted_twice_is_opened_twice():
    assert open_value(OTP, KEYS) == "JBSWY3DPEHPK3PXP"


@pytest.mark.skipif(not USED.exists(), reason="../shared/chatwoot-db is not here: the rows of the used database")
def test_every_encrypted_value_of_the_used_database_is_opened():
    rows = re.findall(r'\{"p":[^\t\n]*?\}\}', gzip.decompress(USED.read_bytes()).decode())
    assert len(rows) == 4
    assert {open_value(row, KEYS) for row in rows} >= {"JBSWY3DPEHPK3PXP", "UrAHmnbLqvBSaCp7ATMAJfPu"}


@pytest.mark.parametrize("name", ENCRYPTION_KEYS)
@pytest.mark.parametrize("place", [0, 15, -1])
def test_one_changed_character_in_one_key_is_seen_on_the_value_it_was_for(name, place):
    key = list(LAB[name])
    key[place] = "X"
    wrong = derive_keys({**LAB, name: "".join(key)})
    with pytest.raises(WrongKeyError):
        open_value(OTP, wrong)
    if "DETERMINISTIC" not in name:
        with pytest.raises(WrongKeyError):
            open_value(WEBHOOK, wrong)


@pytest.mark.parametrize("lacking", ENCRYPTION_KEYS)
def test_half_a_set_of_keys_is_none(lacking):
    assert derive_keys({**LAB, lacking: ""}) is None
    assert derive_keys({name: value for name, value in LAB.items() if name != lacking}) is None


@pytest.mark.parametrize("part", ["p", "iv", "at"])
def test_a_row_in_which_one_character_flipped_opens_with_no_key(part):
    raw = json.loads(WEBHOOK)
    place = raw if part == "p" else raw["h"]
    place[part] = ("A" if place[part][0] != "A" else "B") + place[part][1:]
    with pytest.raises(WrongKeyError):
        open_value(json.dumps(raw), KEYS)


@pytest.mark.parametrize(
    "value",
    [
        '{"p":"AAAA","h":{"iv":"AAAA"}}',
        '{"p":"A","h":{"iv":"dqEmG3wVDwjuLGYH","at":"x"}}',
        '{"p":null,"h":{"iv":null,"at":null}}',
        '{"p":{},"h":{"iv":[],"at":7}}',
    ],
)
def test_a_damaged_row_is_a_row_that_no_key_opens_and_no_traceback(value):
    assert is_encrypted(value)
    with pytest.raises(WrongKeyError):
        open_value(value, KEYS)


@pytest.mark.parametrize(
    "value",
    ["", "plain", "null", "7", "[]", "{}", '{"p":"x"}', '{"p":"x","h":null}', '{"p":"x","h":["iv"]}', '{"h":{"iv":1}}'],
)
def test_plain_text_that_chatwoot_still_reads_is_not_taken_for_encrypted(value):
    assert not is_encrypted(value)


def test_a_deflated_value_is_inflated():
    import zlib  # noqa: PLC0415 - one use
    from base64 import b64encode  # noqa: PLC0415

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    sealed = AESGCM(KEYS.primary).encrypt(b"i" * 12, zlib.compress(b"long " * 50), None)
    headers = {"iv": b64encode(b"i" * 12).decode(), "at": b64encode(sealed[-16:]).decode(), "c": True}
    value = json.dumps({"p": b64encode(sealed[:-16]).decode(), "h": headers})
    assert open_value(value, KEYS) == "long " * 50


def test_fingerprints_differ_by_instance_and_by_key_and_hold_no_key():
    one, other = fingerprints(LAB, INSTANCE), fingerprints(LAB, "another")
    assert set(one) == set(FINGERPRINTED) == set(LAB)
    assert not set(one.values()) & set(other.values())
    assert len({*one.values()}) == 4
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in one.values())
    assert not [value for value in LAB.values() if value in json.dumps(one)]
    assert fingerprints({**LAB, "SECRET_KEY_BASE": LAB["SECRET_KEY_BASE"][:-1] + "1"}, INSTANCE) != one


def test_a_key_that_is_not_set_has_no_fingerprint():
    assert fingerprints({"SECRET_KEY_BASE": "x" * 64, ENCRYPTION_KEYS[0]: ""}, INSTANCE).keys() == {"SECRET_KEY_BASE"}


def test_keys_that_open_every_sample_are_no_problem():
    assert key_problems(SAMPLES, LAB) == ()
    assert key_problems([], {}) == ()


def test_each_column_that_stays_closed_is_named_once():
    assert key_problems(SAMPLES, {**LAB, ENCRYPTION_KEYS[0]: "x" * 32}) == (
        "users.otp_secret: the encryption keys in .env do not open it",
        "webhooks.secret: the encryption keys in .env do not open it",
    )
    assert key_problems(SAMPLES[1:], {}) == ("webhooks.secret: encrypted, and .env has no encryption keys",)


def test_samples_are_read_up_to_their_end_and_plain_ones_left_out():
    lines = ["SET", json.dumps(["webhooks.secret", WEBHOOK]), json.dumps(["a.b", '{"p": "looks like it"}']), '["end"]']
    rest = iter([*lines, "not read"])
    assert read_samples(lambda: next(rest)) == [("webhooks.secret", WEBHOOK)]
    assert next(rest) == "not read"


def test_keys_do_not_show_in_a_traceback():
    assert "lab" not in repr(Keys(b"labprimary", b"labdeterministic"))
