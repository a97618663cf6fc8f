"""The first administrator: who it is, what is sent, and proof that it worked."""

import json

import pytest

from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.errors import ProvisioningFailedError, SettingsInvalidError
from chatwoot_ops.operations.administrator import (
    Administrator,
    Applicant,
    choose_administrator,
    create_administrator,
    first_run_page_is_open,
    make_password,
    wrong_with_password,
)
from fakes import OK, REFUSED, fake_host
from world import LOGIN_CLOSED, stack_in

ADA = Administrator("Ada", "o'ada@KGC.example", "KGC", "Secret-123", generated=False)


@pytest.mark.parametrize(
    ("password", "wrong"),
    [
        ("Secret-1", ""),
        ("Sécret 1", ""),
        ("S-1a", "it needs at least 6 characters"),
        ("secret-1", "it needs an upper-case letter"),
        ("SECRET-1", "it needs a lower-case letter"),
        ("Secret-x", "it needs a digit"),
        ("Secret123", "it needs a special character"),
        ("abc", "it needs at least 6 characters, an upper-case letter, a digit, a special character"),
    ],
)
def test_what_chatwoot_would_refuse_about_a_password_is_said_before(password, wrong):
    assert wrong_with_password(password) == wrong


def test_a_made_password_is_accepted_and_never_the_same():
    made = {make_password() for _ in range(100)}
    assert len(made) == 100
    assert {wrong_with_password(each) for each in made} == {""}


@pytest.mark.parametrize(
    ("option", "setting", "typed", "email"),
    [
        ("a@x.example", "b@x.example", [None], "a@x.example"),
        ("", "b@x.example", [None], "b@x.example"),
        ("", "", ["c@x.example", None], "c@x.example"),
    ],
    ids=["option", "setting", "question"],
)
def test_the_address_comes_from_the_option_the_setting_or_a_question(tmp_path, option, setting, typed, email):
    stack = stack_in(tmp_path, CHATWOOT_ADMIN_EMAIL=setting)
    chosen = choose_administrator(stack, fake_host(*typed), Applicant(email=option))
    assert (chosen.email, chosen.name, chosen.company) == (email, email[0], "x.example")
    assert chosen.generated


@pytest.mark.parametrize("typed", [[], ["", ""], ["not an address"]], ids=["nobody there", "nothing", "no address"])
def test_without_an_address_nothing_can_be_made(stack, typed):
    with pytest.raises(SettingsInvalidError, match="needs an e-mail address") as caught:
        choose_administrator(stack, fake_host(*typed), Applicant())
    assert "--admin-email" in caught.value.remedy


def test_a_typed_password_is_asked_without_echo_and_not_shown_again(stack):
    host = fake_host("Typed-123")
    chosen = choose_administrator(stack, host, Applicant("Ada", "a@x.example", "KGC"))
    assert host.reporter.questions == [("Password (empty: one is made and shown once)", True)]
    assert (chosen.password, chosen.generated) == ("Typed-123", False)


def test_a_password_in_the_settings_is_not_asked_for(tmp_path):
    host = fake_host()
    stack = stack_in(tmp_path, CHATWOOT_ADMIN_PASSWORD="Of-the-file-1")
    assert choose_administrator(stack, host, Applicant(email="a@x.example")).password == "Of-the-file-1"
    assert host.reporter.questions == []


def test_a_refused_password_is_refused_before_anything_is_sent_and_not_repeated(stack):
    with pytest.raises(SettingsInvalidError, match="it needs an upper-case letter") as caught:
        choose_administrator(stack, fake_host("weakling1-"), Applicant(email="a@x.example"))
    assert "weakling1-" not in str(caught.value)


@pytest.mark.parametrize(("answer", "is_open"), [(OK, True), (LOGIN_CLOSED, False)])
def test_the_first_run_page_is_open_or_closed(stack, host, answer, is_open):
    host.http.on("/installation/onboarding", answer)
    assert first_run_page_is_open(stack, host) is is_open


@pytest.mark.parametrize("answer", [REFUSED, Answer(500), Answer(404)])
def test_a_first_run_page_that_says_neither_is_an_error(stack, host, answer):
    host.http.on("/installation/onboarding", answer)
    with pytest.raises(ProvisioningFailedError, match="The first-run page"):
        first_run_page_is_open(stack, host)


def test_the_administrators_account_need_not_be_number_1(stack, host):
    host.http.on("GET", LOGIN_CLOSED).on("POST", Answer(302))
    host.processes.on("account_users", "[42]")
    assert create_administrator(stack, host, ADA) == 42
    method, url, headers, form = host.http.asked[0]
    assert (method, url) == ("POST", "http://127.0.0.1:3002/installation/onboarding")
    assert headers == {"X-Forwarded-Proto": "https"}
    assert form == {
        "user[name]": "Ada",
        "user[company]": "KGC",
        "user[email]": "o'ada@KGC.example",
        "user[password]": "Secret-123",
    }
    asked = host.processes.ran[0]
    assert "'o''ada@kgc.example'" in asked.stdin
    assert "Secret-123" not in " ".join(asked.argv) + asked.stdin


def test_a_page_that_stays_open_is_an_error_whatever_the_form_answered(stack, host):
    host.http.on("GET", OK).on("POST", Answer(302))
    with pytest.raises(ProvisioningFailedError, match="did not accept the first administrator") as caught:
        create_administrator(stack, host, ADA)
    assert caught.value.code == 24


def test_a_closed_page_without_the_administrator_is_an_error(stack, host):
    host.http.on("GET", LOGIN_CLOSED).on("POST", Answer(302))
    host.processes.on("account_users", json.dumps([]))
    with pytest.raises(ProvisioningFailedError, match="is no administrator"):
        create_administrator(stack, host, ADA)
