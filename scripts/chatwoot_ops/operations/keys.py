"""Whether the keys at hand are the ones the data was written with: opens Chatwoot's own encrypted rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.commands import database
from chatwoot_ops.errors import OpsError
from chatwoot_ops.model.check import Check, Outcome, failed, passed
from chatwoot_ops.model.encrypted import Keys, WrongKeyError, derive_keys, is_encrypted, open_value
from chatwoot_ops.model.stack import Stack

# Columns that may hold encrypted values (recordings/README.md, Keys).
COLUMNS = {
    "users": ("otp_secret", "otp_backup_codes"),
    "webhooks": ("secret",),
    "channel_api": ("secret",),
    "agent_bots": ("secret",),
    "integrations_hooks": ("access_token",),
    "channel_email": ("imap_password", "smtp_password"),
    "channel_facebook_pages": ("page_access_token", "user_access_token"),
    "channel_instagram": ("access_token",),
    "channel_line": ("line_channel_secret", "line_channel_token"),
    "channel_telegram": ("bot_token",),
    "channel_tiktok": ("access_token", "refresh_token"),
    "channel_twilio_sms": ("auth_token",),
    "channel_twitter_profiles": ("twitter_access_token", "twitter_access_token_secret"),
}
SAMPLE = 20
_PAIRS = ", ".join(f"('{table}', '{column}')" for table, columns in COLUMNS.items() for column in columns)
SAMPLES = f"""
SELECT format('SELECT json_build_array(%L, %I::text) FROM public.%I WHERE %I::text LIKE ''{{"p":%%'' LIMIT {SAMPLE}',
  table_name || '.' || column_name, column_name, table_name, column_name)
FROM information_schema.columns WHERE table_schema = 'public' AND (table_name, column_name) IN ({_PAIRS}) \\gexec
SELECT json_build_array('end');
"""  # noqa: S608 - built from the constants above


def read_samples(next_line: Callable[[], str]) -> list[tuple[str, str]]:
    """The answers of SAMPLES: column and encrypted text."""
    found: list[tuple[str, str]] = []
    while True:
        line = next_line()
        if not line.startswith("["):
            continue
        column, *value = json.loads(line)
        if column == "end":
            return found
        if is_encrypted(value[0]):
            found.append((column, value[0]))


def key_problems(samples: list[tuple[str, str]], settings: Mapping[str, str]) -> tuple[str, ...]:
    """A line for each column whose rows the keys in these settings do not open; empty when all open."""
    keys = derive_keys(settings)
    if keys is None:
        columns = sorted({column for column, _ in samples})
        return tuple(f"{column}: encrypted, and .env has no encryption keys" for column in columns)
    closed = {column for column, value in samples if not _opens(value, keys)}
    return tuple(f"{column}: the encryption keys in .env do not open it" for column in sorted(closed))


def keys_check(stack: Stack, host: Host) -> Check:
    """Opens rows of the running database with the keys in `.env`: Chatwoot itself shows no error for wrong ones."""
    name, remedy = "encryption keys", "See docs/runbooks/key-lost.md"
    command = database.query(stack, host.compose, SAMPLES, purpose="Reading encrypted rows")
    try:
        lines = iter(host.processes.run(command).stdout.splitlines())
        samples = read_samples(lambda: next(lines))
    except (OpsError, StopIteration):
        return failed(name, "could not be tried: the database does not answer", "Type 'invoke status'")
    if not samples:
        return Check(name, Outcome.NOT_CONFIGURED, "nothing is encrypted yet, so the keys in .env could not be tried")
    problems = key_problems(samples, stack.settings.values)
    if problems:
        return failed(name, "; ".join(problems), remedy)
    return passed(name, f"open {len(samples)} encrypted values in {len({column for column, _ in samples})} columns")


def _opens(value: str, keys: Keys) -> bool:
    try:
        open_value(value, keys)
    except WrongKeyError:
        return False
    return True
