import pytest

from contract import recorded
from contract.replay import Replayer
from fake_stack import FakeStack, images_missing

# Belongs to a user of another account, made through the platform API, which the fake does not have.
# The recorded answer shows a line of activity, which the worker writes.
AFTER_WORKER = {73, 75, 77, 107, 113}
STRANGER = "JfaJJhWLJXbvzxGzHdMZA5zJ"


@pytest.fixture(scope="package")
def stack():
    missing = images_missing()
    if missing:
        pytest.fail(f"sandbox images are not built: {', '.join(missing)} (infra/docker/sandbox/build)")
    found = FakeStack()
    try:
        found.up()
        assert found.prepare().returncode == 0
        found.web()
        found.worker(CHATWOOT_FAKE_CRON_SECONDS="3")
        yield found
    finally:
        found.down()


@pytest.fixture(scope="package")
def answers(stack):
    """All requests sent in order, once."""
    replayer = Replayer(stack.base)
    found = {}
    for exchange in recorded.exchanges():
        if exchange.number == 134:
            stranger(stack)
        if exchange.number in AFTER_WORKER:
            stack.settle()
        found[exchange.number] = replayer.ask(exchange)
    return found


def stranger(stack):
    """What the platform calls 134 to 140 make: an account and its administrator."""
    stack.sql(
        "INSERT INTO accounts (id, name, created_at, updated_at) VALUES (3, 'KGC2', now(), now());"  # noqa: S608
        "INSERT INTO users (id, name, email, uid, pubsub_token, confirmed_at, created_at, updated_at) VALUES"
        " (4, 'KGC Bot User', 'kgc@kgc.example', 'kgc@kgc.example', 'pubsub-of-the-stranger', now(), now(), now());"
        "INSERT INTO account_users (account_id, user_id, role, created_at, updated_at) VALUES (3, 4, 1, now(), now());"
        "INSERT INTO access_tokens (owner_type, owner_id, token, created_at, updated_at) VALUES"
        f" ('User', 4, '{STRANGER}', now(), now())"
    )
