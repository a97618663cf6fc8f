"""Whether an answer is like the recorded one: status, the headers that matter, the shape of the body."""

import re
from urllib.parse import urlsplit

# Assets of a build that the fake does not have, and lengths.
NOT_COMPARED = frozenset({"link", "content-length"})
SAME_VALUE = re.compile(
    r"^(x-frame-options|x-xss-protection|x-content-type-options|x-download-options|x-permitted-cross-domain-policies"
    r"|referrer-policy|content-type|cache-control|access-control-.*|vary|content-disposition|token-type|uid)$"
)
# Unknown until the worker has looked into the file.
UNTIL_ANALYZED = (".width", ".height")
NEVER_EXTRA = re.compile(r"^(access-control-.*|x-frame-options|location|set-cookie|access-token|vary)$")


def differences(recorded, answer):
    """Each difference as a sentence; none when the answer is like the recorded one."""
    found = []
    if answer.status_code != recorded["status"]:
        found.append(f"status {answer.status_code} instead of {recorded['status']}: {answer.text[:200]}")
    found += header_differences(
        {k.lower(): v for k, v in recorded["headers"].items()}, {k.lower(): v for k, v in answer.headers.items()}
    )
    return found + body_differences(recorded, answer)


def header_differences(recorded, given):
    found = []
    for name, value in recorded.items():
        if name in NOT_COMPARED:
            continue
        if name not in given:
            found.append(f"header {name} is missing")
        elif _word(name, value) != _word(name, given[name]):
            found.append(f"header {name}: {given[name]} instead of {value}")
    extra = [name for name in given if name not in recorded and NEVER_EXTRA.match(name)]
    return found + [f"header {name} is too much" for name in extra]


def _word(name, value):
    """What of a header must be equal."""
    if name == "location":
        return re.sub(r"/[^/]{40,}/", "/SIGNED/", urlsplit(value).path)
    if name == "set-cookie":
        return value.split("=")[0]
    return value.lower() if SAME_VALUE.match(name) else None


def body_differences(recorded, answer):
    kind, body = recorded["kind"], recorded["body"]
    if kind == "json":
        return shape_differences(body, answer.json(), "body") if answer.content else ["body is empty"]
    if kind == "empty":
        return [f"body is not empty: {answer.text[:80]}"] if answer.content else []
    if kind == "html":
        title = f"<title>{body['title']}</title>"
        return [] if title in answer.text else [f"title is not {body['title']}"]
    if kind == "text" and not answer.headers["Content-Type"].startswith("image/"):
        return [] if answer.text.strip() == body.strip() else [f"text {answer.text[:80]!r} instead of {body[:80]!r}"]
    return []


def shape_differences(recorded, given, place):
    """Same keys, same JSON types, all the way down; each element of a list like some recorded element."""
    if place.endswith(UNTIL_ANALYZED) and {_type(recorded), _type(given)} <= {"null", "number"}:
        return []
    if _type(recorded) != _type(given):
        return [f"{place}: {_type(given)} instead of {_type(recorded)}"]
    if isinstance(recorded, dict):
        return _dict_differences(recorded, given, place)
    if isinstance(recorded, list):
        return _list_differences(recorded, given, place)
    return []


def _dict_differences(recorded, given, place):
    found = [f"{place}.{name} is missing" for name in recorded if name not in given]
    found += [f"{place}.{name} is too much" for name in given if name not in recorded]
    for name in recorded.keys() & given.keys():
        found += shape_differences(recorded[name], given[name], f"{place}.{name}")
    return found


def _list_differences(recorded, given, place):
    if recorded and not given:
        return [f"{place} is empty"]
    found = []
    for position, element in enumerate(given):
        tries = [shape_differences(other, element, f"{place}[{position}]") for other in recorded]
        found += min(tries, key=len) if tries else [f"{place} is not empty"]
    return found


def _type(value):
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return {str: "string", list: "array", dict: "object"}[type(value)]
