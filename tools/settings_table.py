"""The settings tables of the stack's page, made from `.env.example`: `nox -s reference` writes them."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path

from chatwoot_ops.model.schema import SettingDefinition, parse_schema

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "infra/docker/chatwoot/.env.example"
PAGE = ROOT / "infra/docker/chatwoot/README.md"
_REGION = re.compile(r"(?<=<!-- settings:begin -->\n).*?(?=<!-- settings:end -->)", re.DOTALL)
_HEAD = "| Setting | Default | Type | Secret | Change |\n|---|---|---|---|---|\n"


def with_tables(page: str, example: str) -> str:
    """The page with the tables that this `.env.example` asks for between its two markers."""
    groups = groupby(parse_schema(example), key=lambda setting: setting.group)
    tables = "\n".join(f"### {title}\n\n{_HEAD}{''.join(map(_row, settings))}" for title, settings in groups)
    made, count = _REGION.subn(lambda _: tables, page)
    if count != 1:
        message = f"{PAGE.name} must have the settings markers exactly once, it has them {count} times"
        raise ValueError(message)
    return made


def _row(setting: SettingDefinition) -> str:
    default = f"`{setting.default}`" if setting.default else ""
    kind = setting.type.replace("|", "\\|")
    return f"| `{setting.key}` | {default} | {kind} | {setting.secrecy.value} | {setting.change} |\n"


if __name__ == "__main__":
    PAGE.write_text(
        with_tables(PAGE.read_text(encoding="utf-8"), EXAMPLE.read_text(encoding="utf-8")), encoding="utf-8"
    )
