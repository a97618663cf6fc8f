"""What the worker delivers to a webhook against the recorded deliveries."""

import hashlib
import hmac
import json
import re
from pathlib import Path

import pytest

from contract import compare
from fake_stack import FakeStack, docker, images_missing, wait_for

RECORDED = Path(__file__).parent / "recordings" / "webhooks"
# Of the webhook at /chatwoot/webhook of the recorded instance.
SECRET = "UrAHmnbLqvBSaCp7ATMAJfPu"
EVENTS = [
    "conversation_created",
    "conversation_status_changed",
    "conversation_updated",
    "message_created",
    "contact_created",
    "contact_updated",
]
# Which fields changed is not known to the fake's events.
NOT_TOLD = {"changed_attributes"}
RECEIVER = """
import http.server, json
class Hear(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        print("HEARD " + json.dumps({"headers": dict(self.headers), "raw": body}), flush=True)
        self.send_response(500 if self.path == "/broken" else 200)
        self.end_headers()
http.server.ThreadingHTTPServer(("0.0.0.0", 3000), Hear).serve_forever()
"""


def recorded():
    """The first recorded delivery of each event."""
    found = {}
    for path in sorted(RECORDED.glob("*.json")):
        found.setdefault(path.stem[3:], json.loads(path.read_text(encoding="utf-8")))
    return found


@pytest.fixture(scope="module")
def heard():
    """Deliveries by event, and the webhook's secret."""
    missing = images_missing()
    if missing:
        pytest.fail(f"sandbox images are not built: {', '.join(missing)} (infra/docker/sandbox/build)")
    stack = FakeStack()
    try:
        stack.up()
        receive(stack)
        yield used(stack)
    finally:
        stack.down()


def receive(stack):
    """KGC's place on the network: prints what it hears."""
    name = ("--name", stack.name("kgc-api"), "--network", stack.prefix, "--network-alias", "kgc-api")
    docker("run", "--detach", *name, "--entrypoint", "python3", "chatwoot-sandbox/base:bookworm", "-c", RECEIVER)


def used(stack):
    stack.prepare()
    stack.web()
    token, base = stack.onboard(), "/api/v1/accounts/1"
    stack.worker(SAFE_FETCH_ALLOW_PRIVATE_NETWORK="true", LOG_LEVEL="warn")
    inbox = stack.post(f"{base}/inboxes", {"name": "A", "channel": {"type": "api"}}, token).json()["id"]
    hook = {"webhook": {"url": "http://user:pass@kgc-api:3000/hook", "subscriptions": EVENTS}}
    secret = stack.post(f"{base}/webhooks", hook, token).json()["payload"]["webhook"]["secret"]
    stack.post(
        f"{base}/webhooks", {"webhook": {"url": "http://kgc-api:3000/broken", "subscriptions": EVENTS[:1]}}, token
    )
    person = {"name": "Z", "inbox_id": inbox, "identifier": "K-1"}
    person = stack.post(f"{base}/contacts", person, token).json()["payload"]["contact"]["id"]
    ticket = {"inbox_id": inbox, "contact_id": person, "message": {"content": "x", "message_type": "incoming"}}
    stack.post(f"{base}/conversations", ticket, token)
    stack.post(f"{base}/conversations/1/messages", {"content": "note", "private": True}, token)
    stack.post(f"{base}/conversations/1/toggle_status", {"status": "resolved"}, token)
    wait_for(lambda: "conversation_status_changed" in deliveries(stack), 20, "deliveries")
    stack.settle()
    return deliveries(stack), secret, stack.logs("worker")


def deliveries(stack):
    found = {}
    for line in re.findall(r"^HEARD (.*)$", stack.logs("kgc-api"), re.MULTILINE):
        told = json.loads(line)
        found[json.loads(told["raw"])["event"]] = told
    return found


def signature(secret, told):
    text = told["headers"]["X-Chatwoot-Timestamp"] + "." + told["raw"]
    return "sha256=" + hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_a_recorded_delivery_verifies_with_the_recorded_secret():
    told = recorded()["message_created"]
    assert told["headers"]["X-Chatwoot-Signature"] == signature(SECRET, told)


def test_a_delivery_of_the_fake_verifies_and_has_the_recorded_headers(heard):
    told = heard[0]["message_created"]
    assert told["headers"]["X-Chatwoot-Signature"] == signature(heard[1], told)
    wanted = recorded()["message_created"]["headers"].keys()
    assert [name for name in wanted if name not in told["headers"]] == []
    assert "Authorization" not in told["headers"]


@pytest.mark.parametrize("event", ["message_created", "conversation_created", "contact_created"])
def test_a_payload_has_the_recorded_keys(heard, event):
    told, wanted = json.loads(heard[0][event]["raw"]), json.loads(recorded()[event]["raw"])
    assert told.keys() - NOT_TOLD == wanted.keys() - NOT_TOLD
    shared = {"account", "inbox", "status", "event"} & wanted.keys()
    assert [compare.shape_differences(wanted[name], told[name], name) for name in shared] == [[]] * len(shared)


def test_a_failed_delivery_is_one_line_and_never_tried_again(heard):
    line = "Invalid webhook URL http://kgc-api:3000/broken : 500 Internal Server Error"
    assert heard[2].count(line) == 1
