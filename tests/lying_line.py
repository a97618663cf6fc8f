"""A way to an S3 server that answers instead of it, or changes what it says: each request goes past a fault first."""

import hashlib
import http.client
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ASKED = ("GET", "HEAD", "PUT", "POST", "DELETE")
CHUNK = 4096
HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Asked:
    """A request: the number of it since the fault was set, its method, and its path with the question."""

    number: int
    method: str
    path: str

    @property
    def is_object(self):
        """Whether it is about one object, and not a listing."""
        return "list-type=" not in self.path and "uploads" not in self.path.partition("?")[2]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _act(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        line = self.server.line
        fault = line.fault_of(self.command, self.path)
        if fault is None:
            self._answer(*line.ask(self, body))
        else:
            fault(self, body)

    def _answer(self, status, headers, content, *, sent=None, length=None):
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in HOP:
                self.send_header(name, value)
        whole = {name.lower(): value for name, value in headers}.get("content-length", "0")
        self.send_header("Content-Length", str(length if length is not None else whole))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content if sent is None else sent)

    def hang_up(self):
        """Ends the connection as a broken one ends."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(2)

    def log_message(self, *_):
        """Nobody reads it."""


for _method in ASKED:
    setattr(_Handler, f"do_{_method}", _Handler._act)


class LyingLine:
    """Stands between the tool and a server; `faults` are what it does to the requests that `when` names."""

    def __init__(self, port):
        self.port, self.count, self.asked = port, 0, []
        self._when, self._fault, self._lock = None, None, threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.http.daemon_threads, self.http.line = True, self
        self.endpoint = f"http://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def set(self, fault=None, when=lambda _: True):
        """From now on this fault happens to these requests; without one the line is honest."""
        with self._lock:
            self._fault, self._when, self.count, self.asked = fault, when, 0, []

    def fault_of(self, method, path):
        with self._lock:
            asked = Asked(self.count, method, path)
            self.count += 1
            self.asked.append(asked)
            return self._fault if self._fault and self._when(asked) else None

    def ask(self, handler, body):
        """What the server itself answers: status, headers, content."""
        far = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            far.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() != "expect":
                    far.putheader(name, value)
            far.endheaders(body)
            answer = far.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            far.close()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def gone(handler, _):
    """The server is not there in the middle of a conversation."""
    handler.hang_up()


def silent(handler, _):
    """It takes the request and never answers."""
    time.sleep(1.5)
    handler.hang_up()


def broken(handler, _):
    """It says that it failed."""
    content = b"<Error><Code>InternalError</Code><Message>said the line</Message></Error>"
    handler._answer(500, [("Content-Type", "application/xml")], content, length=len(content))


def slow(handler, body):
    """It answers a little at a time."""
    status, headers, content = handler.server.line.ask(handler, body)
    handler._answer(status, headers, b"")
    if handler.command != "HEAD":
        for at in range(0, len(content), CHUNK):
            handler.wfile.write(content[at : at + CHUNK])
            handler.wfile.flush()
            time.sleep(0.05)


def cut(handler, body):
    """The connection ends in the middle of an answer."""
    status, headers, content = handler.server.line.ask(handler, body)
    handler._answer(status, headers, content, sent=content[: len(content) // 2])
    handler.hang_up()


def truncated(handler, body):
    """It answers with half an object, and says that this is all of it."""
    status, headers, content = handler.server.line.ask(handler, body)
    half = content[: len(content) // 2]
    handler._answer(status, headers, half, length=len(half))


def flipped(handler, body):
    """One bit of what it answers is another."""
    status, headers, content = handler.server.line.ask(handler, body)
    changed = bytearray(content)
    if changed:
        changed[len(changed) // 2] ^= 1
    handler._answer(status, headers, bytes(changed))


def dropped(handler, body):
    """It says that it did what it was asked to, and did nothing."""
    tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
    content = b""
    if handler.command == "POST":
        content = f'<CompleteMultipartUploadResult><ETag>"{tag}"</ETag></CompleteMultipartUploadResult>'.encode()
    status = 204 if handler.command == "DELETE" else 200
    handler._answer(status, [("ETag", f'"{tag}"')], content, length=len(content))


FAULTS = {
    "gone": gone,
    "silent": silent,
    "failing": broken,
    "slow": slow,
    "cut off in an answer": cut,
    "answering with half an object": truncated,
    "answering with a changed bit": flipped,
    "saying yes and doing nothing": dropped,
}
# Of an answer that changes nothing there is nothing to lie about.
ONLY = {truncated: "GET", flipped: "GET", cut: "GET"}


def possible(fault, asked):
    """Whether a fault means anything to this request: a listing is no object, and only writing can be left undone."""
    if fault is dropped:
        return asked.method in {"PUT", "POST", "DELETE"} and asked.is_object
    if fault in ONLY:
        return asked.method == ONLY[fault] and asked.is_object
    return True
