"""The recorded exchanges, and which of them the fake answers."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "recordings"
REPEAT = re.compile(r"^<x \* (\d+)>$")

# Numbers of the exchanges that the fake refuses with 501, by the thing it lacks.
REFUSED = {
    **dict.fromkeys(range(40, 48), "custom attribute definitions"),
    **dict.fromkeys((60, 61, 62, 63, 64), "contact filters and inboxes"),
    **dict.fromkeys((82, 83), "conversation filters"),
    **dict.fromkeys(range(84, 89), "search"),
    114: "reports",
    **dict.fromkeys(range(115, 120), "public API"),
    **dict.fromkeys(range(134, 146), "platform API"),
}


@dataclass(frozen=True)
class Exchange:
    """One file of recordings/http."""

    number: int
    name: str
    request: dict
    response: dict

    @property
    def answered(self):
        return self.number not in REFUSED


def exchanges():
    """All of them, in the order in which they were made."""
    return [_read(path) for path in sorted((FOLDER / "http").glob("*.json"))]


def _read(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    return Exchange(int(path.name[:3]), path.stem, _expanded(found["request"]), found["response"])


def _expanded(request):
    """A long text is kept in a short form."""
    body = request["body"]
    if isinstance(body, dict) and REPEAT.match(str(body.get("content"))):
        body["content"] = "x" * int(REPEAT.match(body["content"])[1])
    return request


def cable():
    return json.loads((FOLDER / "cable.json").read_text(encoding="utf-8"))


def redis_keys():
    return json.loads((FOLDER / "redis.json").read_text(encoding="utf-8"))
