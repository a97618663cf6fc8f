"""How thoroughly a backup set was verified."""

from __future__ import annotations

from enum import StrEnum

from chatwoot_ops.errors import SettingsInvalidError


class Level(StrEnum):
    """What was read back: every checksum; the archives to their end too; or the whole set restored and proved."""

    CHECKSUMS = "checksums"
    ARCHIVE = "archive"
    RESTORE = "restore"


def parse_level(text: str) -> Level:
    """The level of this name.

    Raises SettingsInvalidError naming those that there are.
    """
    try:
        return Level(text)
    except ValueError as error:
        known = ", ".join(Level)
        raise SettingsInvalidError(
            f"--level must be one of {known}, not '{text}'", remedy="Nothing was changed."
        ) from error
