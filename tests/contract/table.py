"""Writes the table of docs/reference/fake-chatwoot.md: `python -m contract.table` in tests/."""

import re
from pathlib import Path

from contract import recorded
from contract.redis_names import KEYS, LEFT_OUT, WANTED, plain

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "fake-chatwoot.md"
BEGIN, END = "<!-- table: made by tests/contract/table.py -->", "<!-- end of table -->"
FRAMES = {
    "no-origin": "answered",
    "own-origin": "answered",
    "foreign-origin": "answered",
    "wrong-protocol": "answered",
    "subscribe": "answered",
    "after-message": "answered",
    "subscribe-wrong-token": "answered",
}


def made():
    """The part of the page that is not written by hand."""
    found = recorded.exchanges()
    answered = [exchange for exchange in found if exchange.answered]
    lines = [
        (
            f"- Recorded exchanges: {len(found)}. Answered: {len(answered)}."
            f" Refused with 501: {len(found) - len(answered)}."
        ),
        f"- Recorded groups of frames: {len(recorded.cable())}. Answered: {len(FRAMES)}.",
        f"- Recorded Redis keys, told apart by name: {len({plain(key) for key in KEYS})}. Written: {len(WANTED) + 1}.",
        "",
        "| exchange | request | status | fake |",
        "|---|---|---|---|",
    ]
    lines += [_row(exchange) for exchange in found]
    lines += ["", "| frames of cable.json | fake |", "|---|---|"]
    lines += [f"| {name} | {FRAMES.get(name, 'not sent')} |" for name in recorded.cable()]
    lines += ["", "| key of redis.json | fake |", "|---|---|"]
    return "\n".join(lines + _keys())


def _row(exchange):
    request = exchange.request
    path = re.sub(r"/[\w=-]{40,}", "/SIGNED", request["path"].split("?")[0])
    path = re.sub(r"(?<=inboxes/)\w{24}", "IDENTIFIER", path)
    fake = "answered" if exchange.answered else f"501: {recorded.REFUSED[exchange.number]}"
    return f"| {exchange.name} | {request['method']} `{path}` | {exchange.response['status']} | {fake} |"


def _keys():
    names = sorted({plain(key) for key in KEYS})
    left_out = {plain(key) for key in KEYS if LEFT_OUT.match(key)}
    return [
        f"| `{name.replace('|', '&#124;')}` | {'not written' if name in left_out else 'written'} |" for name in names
    ]


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{made()}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
