"""Waiting, HTTP answers and ActionCable against servers of our own."""

import base64
import hashlib
import json
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from chatwoot_ops.adapters.cable import Cable
from chatwoot_ops.adapters.clock import Clock
from chatwoot_ops.adapters.http import Answer, Http
from fakes import FakeClock


@pytest.mark.parametrize(
    ("holds_after", "timeout", "answer", "passed"),
    [(0, 5, True, 0), (3, 5, True, 3), (9, 5, False, 5), (9, 0, False, 0)],
)
def test_waiting_ends_when_the_condition_holds_or_the_time_is_over(holds_after, timeout, answer, passed):
    clock = FakeClock()
    assert clock.wait_until(lambda: clock.passed >= holds_after, timeout=timeout) is answer
    assert clock.passed == passed


def test_the_real_clock_says_utc_and_sleeps():
    clock = Clock()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", clock.stamp())
    began = clock.monotonic()
    clock.sleep(0.01)
    assert clock.monotonic() - began >= 0.01


class Pages(BaseHTTPRequestHandler):
    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        said = {"method": self.command, "body": self.rfile.read(length).decode(), "headers": dict(self.headers)}
        body = json.dumps(said).encode()
        self.send_response(302 if self.path == "/away" else 200)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_OPTIONS = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module")
def server():
    with HTTPServer(("127.0.0.1", 0), Pages) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


def test_a_redirect_is_an_answer_and_is_not_followed(server):
    answer = Http().get(f"{server}/away")
    assert (answer.status, answer.headers["location"]) == (302, "/elsewhere")


def test_a_form_is_posted_as_a_form(server):
    said = Http().post_form(server, {"user[name]": "Ada & Co"}).parsed()
    assert (said["method"], said["body"]) == ("POST", "user%5Bname%5D=Ada+%26+Co")


def test_headers_with_underscores_are_sent_as_they_are(server):
    assert Http().options(server, headers={"api_access_token": "t"}).parsed()["headers"]["api_access_token"] == "t"


def test_proxies_of_the_shell_do_not_decide_how_the_local_stack_is_reached(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert Http().get(server).status == 200


def test_a_refused_connection_is_an_answer():
    answer = Http().get(f"http://127.0.0.1:{closed_port()}/")
    assert (answer.status, answer.error, answer.said) == (0, "ConnectionError", "no answer (ConnectionError)")


def test_a_server_that_says_nothing_is_an_answer_after_its_time():
    with socket.create_server(("127.0.0.1", 0)) as mute:
        assert Http().get(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout=0.1).error == "ReadTimeout"


@pytest.mark.parametrize(("body", "parsed"), [('{"a": 1}', {"a": 1}), ("<html>", None), ("", None)])
def test_a_body_is_json_or_nothing(body, parsed):
    assert Answer(200, body).parsed() == parsed


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


def frame(text):
    data = text.encode()
    return bytes([0x81, len(data)]) + data


class CableServer(threading.Thread):
    """Speaks just enough WebSocket: shakes hands, sends the given frames, then closes or stays silent."""

    def __init__(self, *frames, shake=True, close=True):
        super().__init__(daemon=True)
        self.frames, self.shake, self.close, self.seen = frames, shake, close, ""
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listening.getsockname()[1]}/cable"
        self.leave = threading.Event()

    def run(self):
        with self.listening, self.listening.accept()[0] as peer:
            self.seen = peer.recv(4096).decode()
            if not self.shake:
                peer.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
                return
            key = re.search(r"(?i)sec-websocket-key: (\S+)", self.seen)[1]
            magic = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()  # noqa: S324 - RFC 6455
            accept = base64.b64encode(magic).decode()
            peer.sendall(
                f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Protocol: actioncable-v1-json\r\nSec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
            peer.recv(4096)  # the subscription
            for each in self.frames:
                peer.sendall(frame(json.dumps({"type": each}) if each != "broken" else "{"))
            if not self.close:
                self.leave.wait(0.5)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(4096):
                pass


@pytest.mark.parametrize(
    ("frames", "how", "says"),
    [
        (["welcome", "ping", "confirm_subscription"], {}, "confirmed"),
        (["welcome", "reject_subscription"], {}, "the server answered reject_subscription"),
        (["disconnect"], {}, "the server answered disconnect"),
        (["welcome"], {}, "welcome, but no confirmed subscription (WebSocketConnectionClosedException)"),
        (["welcome"], {"close": False}, "welcome, but no confirmed subscription (WebSocketTimeoutException)"),
        (["welcome", *["ping"] * 8], {}, "welcome, but no confirmed subscription"),
        (["broken"], {}, "welcome, but no confirmed subscription (JSONDecodeError)"),
        ([], {"shake": False}, "no handshake (WebSocketBadStatusException: Handshake status 404 Not Found"),
    ],
    ids=["confirmed", "rejected", "disconnected", "closed", "silent", "pings only", "no JSON", "no cable"],
)
def test_only_a_confirmed_subscription_counts(frames, how, says):
    server = CableServer(*frames, **how)
    server.start()
    answer = Cable().subscribe(
        server.url, {"channel": "RoomChannel"}, headers={"X-Forwarded-Proto": "https"}, timeout=0.3
    )
    server.leave.set()
    server.join(5)
    assert answer.startswith(says)
    assert "X-Forwarded-Proto: https" in server.seen
    assert "actioncable-v1-json" in server.seen


def test_a_port_where_nothing_listens_is_no_handshake():
    answer = Cable().subscribe(f"ws://127.0.0.1:{closed_port()}/cable", {}, timeout=1)
    assert answer.startswith("no handshake (ConnectionRefusedError")
