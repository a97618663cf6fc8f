"""The settings of backups, checked: who can open a set, and how much of it is sealed to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

RECIPIENTS, ENCRYPT, EVERYTHING = "BACKUP_RECIPIENTS", "BACKUP_ENCRYPT", "all"
# Bech32 of 32 bytes; that its checksum is right is seen when something is sealed to it.
_PUBLIC = re.compile(r"age1[02-9ac-hj-np-z]{58}")


def recipients_in(values: Mapping[str, str]) -> tuple[str, ...]:
    """The public keys, which commas or spaces separate."""
    return tuple(values.get(RECIPIENTS, "").replace(",", " ").split())


def backup_problems(values: Mapping[str, str]) -> Iterable[str]:
    """A line for each of these settings that cannot work; what may be a private key is never shown."""
    recipients = recipients_in(values)
    if values.get(ENCRYPT) == EVERYTHING and not recipients:
        yield f"{ENCRYPT}: {EVERYTHING}, and {RECIPIENTS} is empty; type 'invoke backup.keys --to FILE --add'"
    for number, each in enumerate(recipients, 1):
        if each.upper().startswith("AGE-SECRET-KEY"):
            yield f"{RECIPIENTS}: key {number} is a PRIVATE key; take it out, make a new pair, and write the public one"
        elif not _PUBLIC.fullmatch(each):
            yield f"{RECIPIENTS}: key {number} is no age public key (age1 and 58 more characters)"
