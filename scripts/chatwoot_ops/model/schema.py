"""The settings that exist, read from `.env.example`: the file operators read is the schema.

A setting is prose comment lines, one `# type: ...` line, then `KEY=default`, or `#KEY=example` where it is optional
and unset. `# == Title ==` starts a group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from chatwoot_ops.errors import SettingsInvalidError

_GROUP = re.compile(r"^# == (?P<title>.+) ==$")
_FACTS = re.compile(r"^# (?P<facts>type: .+)$")
_ASSIGNMENT = re.compile(r"^(?P<off>#?)(?P<key>[A-Z0-9][A-Z0-9_]*)=(?P<value>.*)$")


class Secrecy(StrEnum):
    """Whether a value may be shown, and who makes it."""

    NO = "no"
    YES = "yes"
    MADE_BY_CHATWOOT = "made-by-chatwoot"


@dataclass(frozen=True, slots=True)
class SettingDefinition:
    """One setting: its type, default (None: unset unless an operator sets it), secrecy, and when a change acts."""

    key: str
    group: str
    prose: str
    type: str
    secrecy: Secrecy
    change: str
    needed: bool
    default: str | None
    example: str


def parse_schema(text: str) -> tuple[SettingDefinition, ...]:
    """Each setting of an `.env.example`, in order.

    Raises SettingsInvalidError naming each setting that lacks its `# type:` line or its facts.
    """
    group = ""
    prose: list[str] = []
    facts: dict[str, str] = {}
    found: list[SettingDefinition] = []
    problems: list[str] = []
    for line in text.splitlines():
        if heading := _GROUP.match(line):
            group, prose = heading["title"], []
        elif stated := _FACTS.match(line):
            facts = dict(part.split(": ", 1) for part in stated["facts"].split("; ") if ": " in part)
        elif (setting := _ASSIGNMENT.match(line)) and (facts or not setting["off"]):
            try:
                found.append(_definition(setting, group, " ".join(prose), facts))
            except (KeyError, ValueError):
                problems.append(f"{setting['key']}: no complete '# type: ...' line stands above it")
            prose, facts = [], {}
        elif line.startswith("#"):
            prose.append(line.lstrip("# "))
        else:
            prose = []
    if problems:
        raise SettingsInvalidError("The settings schema is damaged", details=tuple(problems))
    return tuple(found)


def _definition(setting: re.Match[str], group: str, prose: str, facts: dict[str, str]) -> SettingDefinition:
    return SettingDefinition(
        key=setting["key"],
        group=group,
        prose=prose,
        type=facts["type"],
        secrecy=Secrecy(facts["secret"]),
        change=facts["change"],
        needed=facts["needed"] == "yes",
        default=None if setting["off"] else setting["value"],
        example=setting["value"],
    )
