"""The only HTTP client: time limits always, redirects never followed, a refused connection is an answer too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import requests


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said. `status` is 0 when it said nothing, and `error` is why."""

    status: int
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    def parsed(self) -> Any:  # noqa: ANN401 - JSON has no narrower type
        """The body as JSON, None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def said(self) -> str:
        """The answer in a few words, for people."""
        return f"answered {self.status}" if self.status else f"no answer ({self.error})"


class Http:
    """Asks web servers."""

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 20) -> Answer:
        """GET, without following redirects."""
        return self._ask("GET", url, headers=headers, timeout=timeout)

    def post_form(
        self,
        url: str,
        form: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> Answer:
        """POST of a form, without following redirects."""
        return self._ask("POST", url, data=form, headers=headers, timeout=timeout)

    def post_json(
        self, url: str, body: Mapping[str, Any], *, headers: Mapping[str, str], timeout: float = 60
    ) -> Answer:
        """POST of JSON, without following redirects."""
        return self._ask("POST", url, json=body, headers=headers, timeout=timeout)

    def post_file(
        self,
        url: str,
        form: Mapping[str, str],
        file: tuple[str, bytes],
        *,
        headers: Mapping[str, str],
        timeout: float = 60,
    ) -> Answer:
        """POST of a form with one attachment, by its name and content."""
        return self._ask("POST", url, data=form, files={"attachments[]": file}, headers=headers, timeout=timeout)

    def options(self, url: str, *, headers: Mapping[str, str], timeout: float = 20) -> Answer:
        """A CORS preflight."""
        return self._ask("OPTIONS", url, headers=headers, timeout=timeout)

    @staticmethod
    def _ask(method: str, url: str, **how: Any) -> Answer:  # noqa: ANN401 - handed on to requests
        try:
            with requests.Session() as session:
                # Proxy variables of the shell must not decide how the local stack is reached.
                session.trust_env = url.startswith("https://")
                answer = session.request(method, url, allow_redirects=False, **how)
        except requests.RequestException as error:
            return Answer(0, error=type(error).__name__)
        return Answer(answer.status_code, answer.text, answer.headers)
