"""The first administrator: made here, so that the public first-run page never waits for whoever comes first."""

from __future__ import annotations

import secrets as randomness
import string
from dataclasses import dataclass

from chatwoot_ops.adapters.host import Host
from chatwoot_ops.errors import ProvisioningFailedError, SettingsInvalidError
from chatwoot_ops.model.stack import Stack
from chatwoot_ops.operations.database import ask_database

PAGE = "/installation/onboarding"
_LENGTH = 20


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who the first administrator shall be. `generated` says that the password must be shown, once."""

    name: str
    email: str
    company: str
    password: str
    generated: bool


@dataclass(frozen=True, slots=True)
class Applicant:
    """Who was named on the command line; empty parts come from the settings or from questions."""

    name: str = ""
    email: str = ""
    company: str = ""


def first_run_page_is_open(stack: Stack, host: Host) -> bool:
    """Whether anybody who reaches the port could make themselves the administrator.

    Raises ProvisioningFailedError when the page says neither yes nor no.
    """
    answer = host.http.get(f"{stack.local_url}{PAGE}", headers={"X-Forwarded-Proto": "https"})
    if answer.status not in {200, 302}:
        raise ProvisioningFailedError(
            f"The first-run page {answer.said}", remedy="Type 'invoke logs --service chatwoot-rails'."
        )
    return answer.status == 200  # noqa: PLR2004 - HTTP


def choose_administrator(stack: Stack, host: Host, who: Applicant) -> Administrator:
    """The administrator from options, settings or questions; the password is made where none is given.

    Raises SettingsInvalidError when no e-mail address is given and nobody can be asked, or the password is refused.
    """
    settings = stack.settings
    chosen = (
        who.email
        or settings["CHATWOOT_ADMIN_EMAIL"]
        or host.reporter.ask("E-mail address of the first administrator")
        or ""
    )
    if "@" not in chosen:
        remedy = "Give --admin-email ADDRESS, or set CHATWOOT_ADMIN_EMAIL in .env."
        raise SettingsInvalidError("The first administrator needs an e-mail address", remedy=remedy)
    typed = (
        settings["CHATWOOT_ADMIN_PASSWORD"]
        or host.reporter.ask("Password (empty: one is made and shown once)", secret=True)
        or ""
    )
    if typed and (wrong := wrong_with_password(typed)):
        raise SettingsInvalidError(f"The administrator's password is refused by Chatwoot: {wrong}")
    return Administrator(
        name=who.name or settings["CHATWOOT_ADMIN_NAME"] or chosen.partition("@")[0],
        email=chosen,
        company=who.company or settings["CHATWOOT_ADMIN_COMPANY"] or chosen.partition("@")[2],
        password=typed or make_password(),
        generated=not typed,
    )


def wrong_with_password(password: str) -> str:
    """What Chatwoot would refuse about it (config/initializers/secure_password.rb), "" for nothing."""
    wanted = {
        "at least 6 characters": len(password) >= 6,  # noqa: PLR2004 - Devise's default
        "an upper-case letter": any(char.isupper() for char in password),
        "a lower-case letter": any(char.islower() for char in password),
        "a digit": any(char.isdigit() for char in password),
        "a special character": any(not char.isalnum() for char in password),
    }
    missing = [name for name, there in wanted.items() if not there]
    return f"it needs {', '.join(missing)}" if missing else ""


def make_password() -> str:
    """A password that Chatwoot accepts and a person can type."""
    alphabet = string.ascii_letters + string.digits
    while True:
        made = "".join(randomness.choice(alphabet) for _ in range(_LENGTH)) + "-" + randomness.choice(string.digits)
        if not wrong_with_password(made):
            return made


def create_administrator(stack: Stack, host: Host, administrator: Administrator) -> int:
    """Sends the first-run form and proves its effect; returns the account's number, which need not be 1.

    Raises ProvisioningFailedError when the page stays open or no such administrator is in the database: the form
    answers success and failure alike (facts, 4.1).
    """
    form = {
        "user[name]": administrator.name,
        "user[company]": administrator.company,
        "user[email]": administrator.email,
        "user[password]": administrator.password,
    }
    answer = host.http.post_form(f"{stack.local_url}{PAGE}", form, headers={"X-Forwarded-Proto": "https"})
    if first_run_page_is_open(stack, host):
        remedy = "See 'invoke logs --service chatwoot-rails' for the reason Chatwoot gives."
        raise ProvisioningFailedError(
            f"Chatwoot did not accept the first administrator (it {answer.said})", remedy=remedy
        )
    return _account_of(stack, host, administrator.email)


def _account_of(stack: Stack, host: Host, email: str) -> int:
    quoted = email.lower().replace("'", "''")
    sql = f"""SELECT coalesce(json_agg(account_users.account_id), '[]') FROM users
              JOIN account_users ON account_users.user_id = users.id
              WHERE lower(users.email) = '{quoted}' AND users.type = 'SuperAdmin' AND account_users.role = 1"""  # noqa: S608
    accounts = ask_database(stack, host, sql, purpose="Looking for the administrator's account")
    if not accounts:
        raise ProvisioningFailedError(
            f"The first-run page is closed, but {email} is no administrator", remedy="Type 'invoke doctor'."
        )
    return int(accounts[0])
