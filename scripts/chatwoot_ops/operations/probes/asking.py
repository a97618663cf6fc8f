"""What several probes need: the token they ask with, and the rule that "could not check" is a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.check import Check, failed
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.database import ask_database

_WHO = """
SELECT coalesce((
  SELECT json_build_object('token', access_tokens.token, 'user', users.id, 'pubsub', users.pubsub_token,
    'account', (SELECT min(account_id) FROM account_users WHERE account_users.user_id = users.id))
  FROM users JOIN access_tokens ON access_tokens.owner_id = users.id AND access_tokens.owner_type = 'User'
  WHERE users.type = 'SuperAdmin' ORDER BY users.id LIMIT 1), 'null'::json)
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the probes ask as: an administrator's permanent token, so that no probe ever signs in by password."""

    token: str
    user: int
    account: int
    pubsub_token: str


def identity(stack: Stack, host: Host) -> Identity | None:
    """An administrator's identity from the database, None where there is no administrator yet.

    Its tokens are masked in all output from here on.
    """
    found = ask_database(stack, host, _WHO, purpose="Looking for an administrator")
    if found is None:
        return None
    host.processes.secrets = (*host.processes.secrets, found["token"], found["pubsub"])
    return Identity(found["token"], found["user"], found["account"], found["pubsub"])


def direct_headers(stack: Stack) -> dict[str, str]:
    """What a request past the proxy must say so that FORCE_SSL does not send it to https."""
    return {"X-Forwarded-Proto": "https"} if stack.settings["FORCE_SSL"] == "true" else {}


def asked(name: str, ask: Callable[[], Check | Iterable[Check]], remedy: str) -> tuple[Check, ...]:
    """The probe's checks, or one failed check where it could not be made."""
    try:
        answer = ask()
        return (answer,) if isinstance(answer, Check) else tuple(answer)
    except OpsError as error:
        seen = " ".join((f"could not check: {error.message}", *error.details[-1:]))
        return (failed(name, seen, remedy),)
    except (LookupError, TypeError, ValueError) as error:
        # An answer in a shape nobody foresaw must not cost the answers of the other probes.
        return (failed(name, f"could not check: the answer cannot be read ({error!r})", remedy),)
