"""The fake against what a running Chatwoot 4.15.1 answered."""

import copy

import pytest

from contract import compare, recorded
from contract.replay import PNG

EXCHANGES = recorded.exchanges()


@pytest.mark.parametrize("exchange", [e for e in EXCHANGES if e.answered], ids=lambda e: e.name)
def test_an_answered_exchange_is_like_the_recorded_one(answers, exchange):
    assert compare.differences(exchange.response, answers[exchange.number]) == []


@pytest.mark.parametrize("exchange", [e for e in EXCHANGES if not e.answered], ids=lambda e: e.name)
def test_any_other_exchange_is_refused_by_name(answers, exchange):
    answer = answers[exchange.number]
    assert answer.status_code == 501
    assert answer.json()["error"].startswith(f"chatwoot-fake does not implement {exchange.request['method']} /")


def test_every_answer_says_which_fake_gave_it(answers):
    assert {answer.headers["X-Chatwoot-Fake"] for answer in answers.values()} == {"4.15.1"}


def test_a_stored_file_comes_back_byte_for_byte(answers):
    assert answers[105].content == PNG


@pytest.mark.parametrize(
    "break_it",
    [
        lambda body: body.pop("email"),
        lambda body: body.update(email=7),
        lambda body: body.update(surprise=1),
        lambda body: body["accounts"][0].update(id="2"),
        lambda body: body["accounts"].clear(),
    ],
    ids=["missing key", "other type", "new key", "other type deep down", "empty list"],
)
def test_the_comparer_sees_a_broken_shape(break_it):
    body = next(e for e in EXCHANGES if e.number == 23).response["body"]
    broken = copy.deepcopy(body)
    break_it(broken)
    assert compare.shape_differences(body, broken, "body") != []
    assert compare.shape_differences(body, copy.deepcopy(body), "body") == []


def test_the_comparer_sees_a_header_too_much_and_one_too_few():
    assert compare.header_differences({"x-frame-options": "SAMEORIGIN"}, {}) == ["header x-frame-options is missing"]
    extra = {"access-control-allow-origin": "*"}
    assert compare.header_differences({}, extra) == ["header access-control-allow-origin is too much"]
