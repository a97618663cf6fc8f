"""Support traffic made through Chatwoot's own API, so that a rehearsal has something to lose and to get back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.adapters.http import Answer
from chatwoot_ops.errors import ProvisioningFailedError
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.probes.asking import Identity, direct_headers, identity

TICKETS = 3
MESSAGES = 4
ATTACHMENT = ("figures.txt", b"A file that must come back byte for byte.\n" * 50)


@dataclass(frozen=True, slots=True)
class _Account:
    """One account's API, asked as an administrator."""

    host: Host
    url: str
    headers: dict[str, str]

    def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The created object.

        Raises ProvisioningFailedError with what Chatwoot answered.
        """
        return _body(path, self.host.http.post_json(f"{self.url}/{path}", body, headers=self.headers))

    def attach(self, path: str, form: dict[str, str]) -> dict[str, Any]:
        """A message with an attachment."""
        return _body(path, self.host.http.post_file(f"{self.url}/{path}", form, ATTACHMENT, headers=self.headers))


def _body(path: str, answer: Answer) -> dict[str, Any]:
    body = answer.parsed()
    if answer.status != 200 or not isinstance(body, dict):  # noqa: PLR2004 - Chatwoot answers 200 to creations too
        raise ProvisioningFailedError(f"Chatwoot did not create {path}: it {answer.said}", details=(answer.body[:200],))
    return body


def make_sample_data(stack: Stack, host: Host, text: str) -> int:
    """An API inbox, contacts, tickets, messages and attachments; returns how many messages were acknowledged.

    Raises ProvisioningFailedError when one of them is refused, or there is no administrator to ask as.
    """
    who = identity(stack, host)
    if who is None:
        raise ProvisioningFailedError("There is no administrator to ask as", remedy="Type 'invoke setup'.")
    account = _account(stack, host, who)
    inbox = account.create("inboxes", {"name": f"Rehearsal {text}", "channel": {"type": "api", "webhook_url": ""}})
    return sum(_ticket(account, int(inbox["id"]), f"{text} {number}") for number in range(TICKETS))


def _account(stack: Stack, host: Host, who: Identity) -> _Account:
    headers = {**direct_headers(stack), "api-access-token": who.token}
    return _Account(host, f"{stack.local_url}/api/v1/accounts/{who.account}", headers)


def _ticket(account: _Account, inbox: int, text: str) -> int:
    source = f"rehearsal-{text.replace(' ', '-')}"
    contact = account.create(
        "contacts", {"name": f"Customer {text}", "inbox_id": inbox, "source_id": source, "identifier": source}
    )
    ids = {"inbox_id": inbox, "contact_id": contact["payload"]["contact"]["id"], "source_id": source}
    first = {"content": f"Question {text}", "message_type": "incoming"}
    ticket = account.create("conversations", {**ids, "message": first})["id"]
    path = f"conversations/{ticket}/messages"
    for number in range(MESSAGES - 2):
        account.create(path, {"content": f"Answer {number} to {text}", "message_type": "outgoing"})
    account.attach(path, {"content": f"A file for {text}", "message_type": "outgoing"})
    return MESSAGES
