"""Mail jobs: without a server they fail, silently for everybody (recordings, Mail)."""

import asyncio
import smtplib
from email.message import EmailMessage
from typing import Any

from chatwoot_fake import environment
from chatwoot_fake.worker.state import Worker


class NoSendmailError(Exception):
    """The image has no sendmail."""

    ruby_class = "Errno::ENOENT"


async def deliver(_worker: Worker, arguments: list[Any]) -> None:
    """By SMTP_ADDRESS; when that is empty by a program that is not in the image."""
    if not environment.text("SMTP_ADDRESS"):
        raise NoSendmailError("No such file or directory - /usr/sbin/sendmail")
    await asyncio.to_thread(_send, str(arguments[1]))


def _send(subject: str) -> None:
    message = EmailMessage()
    message["From"] = environment.filled("MAILER_SENDER_EMAIL", "Chatwoot <accounts@chatwoot.com>")
    message["To"] = "somebody@example.com"
    message["Subject"] = subject
    message.set_content("Sent by chatwoot-fake.")
    port = int(environment.filled("SMTP_PORT", "587"))
    with smtplib.SMTP(environment.text("SMTP_ADDRESS"), port, timeout=5) as server:
        server.send_message(message)
