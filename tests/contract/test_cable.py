"""Frames of /cable against the recorded ones."""

import json
import time

import pytest
import websocket

from contract import compare, recorded

CABLE = recorded.cable()
RECORDED_PUBSUB = "vqp59BJJABTsWxc63koX3kVZ"


def opened(stack, origin=None, protocols=("actioncable-v1-json", "actioncable-unsupported")):
    return websocket.create_connection(
        stack.base.replace("http", "ws") + "/cable", timeout=6, origin=origin, subprotocols=list(protocols)
    )


def frames(socket, seconds):
    """What arrives within some seconds."""
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        socket.settimeout(max(0.05, end - time.monotonic()))
        try:
            found.append(json.loads(socket.recv()))
        except websocket.WebSocketTimeoutException:
            break
    return found


def texts(name):
    part = CABLE[name]
    return [json.loads(frame["text"]) for frame in (part["frames"] if isinstance(part, dict) else part)]


def without_pings(found):
    return [frame for frame in found if frame.get("type") != "ping"]


@pytest.mark.parametrize(("name", "origin"), [("no-origin", None), ("foreign-origin", "http://evil.example")])
def test_the_handshake_takes_any_origin_and_starts_with_welcome_and_ping(stack, name, origin):
    socket = opened(stack, origin)
    assert "Sec-WebSocket-Protocol: actioncable-v1-json" in CABLE[name]["answer"]
    assert socket.getsubprotocol() == "actioncable-v1-json"
    assert compare.shape_differences(texts(name)[:2], frames(socket, 3.5)[:2], "frames") == []
    socket.close()


def test_an_unknown_protocol_is_left_unnamed_and_served(stack):
    socket = websocket.create_connection(
        stack.base.replace("http", "ws") + "/cable", timeout=6, header=["Sec-WebSocket-Protocol: nonsense"]
    )
    assert "sec-websocket-protocol" not in socket.getheaders()
    assert without_pings(frames(socket, 0.5)) == texts("wrong-protocol")[:1]
    socket.close()


def identifier(stack, token=None):
    user, pubsub = stack.sql("SELECT id, pubsub_token FROM users WHERE type = 'SuperAdmin'").split("|")
    return json.dumps(
        {"channel": "RoomChannel", "pubsub_token": token or pubsub, "account_id": 2, "user_id": int(user)}
    )


def test_a_subscription_is_confirmed_and_hears_of_presence_and_messages(stack, answers):
    socket, wanted = opened(stack), identifier(stack)
    frames(socket, 0.3)
    socket.send(json.dumps({"command": "subscribe", "identifier": wanted}))
    heard = without_pings(frames(socket, 1.5))
    assert [frame.get("type") for frame in heard] == ["confirm_subscription", None]
    presence = without_pings(texts("subscribe"))[1]
    assert compare.shape_differences(presence["message"], heard[1]["message"], "presence") == []
    token = answers[23].json()["access_token"]
    stack.post("/api/v1/accounts/2/conversations/1/messages", {"content": "a frame", "message_type": "outgoing"}, token)
    arrived = without_pings(frames(socket, 3))
    message = without_pings(texts("after-message"))[0]["message"]
    same = [frame["message"] for frame in arrived if frame["message"]["event"] == "message.created"]
    assert compare.shape_differences(message, same[0], "message") == []
    socket.close()


@pytest.mark.usefixtures("answers")
def test_a_subscription_with_a_wrong_token_gets_no_answer_at_all(stack):
    socket = opened(stack)
    frames(socket, 0.3)
    socket.send(json.dumps({"command": "subscribe", "identifier": identifier(stack, "wrong")}))
    assert without_pings(frames(socket, 2)) == without_pings(texts("subscribe-wrong-token")) == []
    socket.close()
