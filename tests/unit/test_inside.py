"""The web asked from inside its container: the first answer counts, and no answer is no success."""

import pytest

from chatwoot_ops.operations.probes.inside import InsideHttp


@pytest.fixture
def ask(stack, host):
    def act(body, said, code=0):
        host.processes.on("wget", body, code=code, stderr=said)
        return InsideHttp(stack, host).get("http://127.0.0.1:3002/app/login", headers={"X-Forwarded-Proto": "https"})

    return act


def test_status_headers_and_body_are_the_webs_own(ask, host):
    answer = ask("<html>", "  HTTP/1.1 200 OK\n  Content-Type: text/html\n")
    assert (answer.status, answer.body, answer.headers) == (200, "<html>", {"Content-Type": "text/html"})
    assert host.processes.lines[-1] == (
        "compose exec -T chatwoot-rails timeout 20 wget -q -S -O - --header X-Forwarded-Proto: https "
        "http://127.0.0.1:3000/app/login"
    )


def test_of_a_redirect_that_was_followed_the_first_answer_counts(ask):
    said = "  HTTP/1.1 302 Found\n  Location: http://x/app/login\n  HTTP/1.1 200 OK\n  Location: no\n"
    answer = ask("<html>", said)
    assert (answer.status, answer.headers) == (302, {"Location": "http://x/app/login"})


@pytest.mark.parametrize(
    ("said", "error"),
    [("wget: can't connect to remote host: Connection refused\n", "refused"), ("", "no answer")],
)
def test_no_answer_has_status_0_and_says_why(ask, said, error):
    answer = ask("", said, code=1)
    assert answer.status == 0
    assert error in answer.error
