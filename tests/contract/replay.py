"""Replays the recorded requests in order, putting the fake's own ids and tokens where the recording had its."""

import base64
import re
from urllib.parse import urlsplit

import requests

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TOKEN_LENGTH = 16


class Replayer:
    """Knows what the fake calls what the recording called otherwise."""

    def __init__(self, base):
        self.base = base
        self.names = {}

    def ask(self, exchange):
        """Send the request; the answer, remembered for the requests that follow."""
        given = exchange.request
        headers = {name: self.translate(value) for name, value in given["headers"].items()}
        answer = requests.request(
            given["method"],
            self.base + self.translate(given["path"]),
            headers=headers,
            data=self._body(exchange),
            timeout=30,
            allow_redirects=False,
        )
        if answer.status_code == exchange.response["status"]:
            self._learn(exchange, answer)
        return answer

    def translate(self, text):
        """The longest names first: one may hold another."""
        for name in sorted(self.names, key=len, reverse=True):
            text = text.replace(name, self.names[name])
        return text

    def _body(self, exchange):
        body = exchange.request["body"]
        if body is None or isinstance(body, str):
            return self._multipart() if body else None
        if "json" not in exchange.request["headers"].get("Content-Type", ""):
            return body
        return requests.models.complexjson.dumps(body).encode()

    @staticmethod
    def _multipart():
        line = "--labboundary\r\nContent-Disposition: form-data; name="
        head = (
            f'{line}"content"\r\n\r\nKép\r\n{line}"message_type"\r\n\r\noutgoing\r\n{line}"attachments[]"; '
            'filename="kep.png"\r\nContent-Type: image/png\r\n\r\n'
        )
        return head.encode() + PNG + b"\r\n--labboundary--\r\n"

    def _learn(self, exchange, answer):
        if exchange.response["kind"] == "json":
            self._pair(exchange.response["body"], answer.json())
            self._number(exchange, answer.json())
        place = exchange.response["headers"].get("location")
        if place and "active_storage" in place:
            self.names[urlsplit(place).path] = urlsplit(answer.headers["Location"]).path
        for name in ("access-token", "client"):
            if name in exchange.response["headers"]:
                self.names[exchange.response["headers"][name]] = answer.headers[name]

    def _pair(self, recorded, given):
        """Long words of the recording that the fake calls otherwise: tokens and addresses."""
        if isinstance(recorded, dict) and isinstance(given, dict):
            for name in recorded.keys() & given.keys():
                self._pair(recorded[name], given[name])
        elif isinstance(recorded, list) and isinstance(given, list):
            for one, other in zip(recorded, given, strict=False):
                self._pair(one, other)
        elif isinstance(recorded, str) and isinstance(given, str) and len(recorded) >= TOKEN_LENGTH:
            if recorded.startswith("http"):
                recorded, given = urlsplit(recorded).path, urlsplit(given).path
            if recorded != given and " " not in recorded and not re.match(r"^\d{4}-", recorded):
                self.names[recorded] = given

    def _number(self, exchange, body):
        """The id of a message that was made: the recording also numbered what its worker wrote."""
        if exchange.name[4:].startswith("message-create-") and isinstance(body, dict) and "id" in body:
            self.names[f"/messages/{exchange.response['body']['id']}"] = f"/messages/{body['id']}"
            self.names[f"before={exchange.response['body']['id']}"] = f"before={body['id']}"
