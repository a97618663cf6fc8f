"""The doctor tries the keys in `.env` on rows of the running database."""

import json
from base64 import b64encode

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from chatwoot_ops.model.check import Outcome
from chatwoot_ops.model.encrypted import derive_keys
from chatwoot_ops.operations.doctor import doctor
from chatwoot_ops.operations.keys import keys_check
from world import SECRETS, stack_in

ASKED = "table_name || '.' || column_name"


def a_row(settings, column="webhooks.secret"):
    """What psql answers for one row that was encrypted with these settings' keys."""
    nonce = bytes(range(12))
    sealed = AESGCM(derive_keys(settings).primary).encrypt(nonce, b"a secret", None)
    headers = {"iv": b64encode(nonce).decode(), "at": b64encode(sealed[-16:]).decode()}
    value = {"p": b64encode(sealed[:-16]).decode(), "h": headers}
    return json.dumps([column, json.dumps(value)])


def answers(well, *rows):
    well.processes.on(ASKED, "\n".join((*rows, '["end"]')))


def test_the_right_keys_open_the_rows(stack, well):
    answers(well, a_row(SECRETS), a_row(SECRETS, "users.otp_secret"))
    found = keys_check(stack, well)
    assert (found.outcome, found.seen) == (Outcome.PASS, "open 2 encrypted values in 2 columns")


# This row is encrypted with the primary key, so the deterministic one does not matter to it.
@pytest.mark.parametrize("name", [key for key in SECRETS if key.endswith(("PRIMARY_KEY", "DERIVATION_SALT"))])
def test_another_key_is_a_failure_that_names_the_column_and_the_page(tmp_path, well, name):
    stack = stack_in(tmp_path, **{name: "another-key-0123456789"})
    answers(well, a_row(SECRETS))
    found = keys_check(stack, well)
    assert found.outcome is Outcome.FAIL
    assert "webhooks.secret: the encryption keys in .env do not open it" in found.seen
    assert "docs/runbooks/key-lost.md" in found.remedy


def test_rows_that_are_encrypted_while_no_key_is_set_are_a_failure(tmp_path, well):
    stack = stack_in(tmp_path, **{name: "" for name in SECRETS if name.startswith("ACTIVE_RECORD")})
    answers(well, a_row(SECRETS))
    assert keys_check(stack, well).outcome is Outcome.FAIL


def test_where_nothing_is_encrypted_yet_it_is_said_that_nothing_was_tried(stack, well):
    answers(well)
    found = keys_check(stack, well)
    assert found.outcome is Outcome.NOT_CONFIGURED
    assert "could not be tried" in found.seen


@pytest.mark.parametrize(("output", "code"), [("", 1), ("", 0), ('["webhooks.secret", "x"]', 0)])
def test_what_could_not_be_asked_to_its_end_is_a_failure(stack, well, output, code):
    well.processes.on(ASKED, output, code=code)
    assert keys_check(stack, well).outcome is Outcome.FAIL


def test_both_checks_are_in_the_doctors_list(place, well):
    names = [check.name for check in doctor(place, well)]
    assert {"encryption keys", "backup keys"} <= set(names)
