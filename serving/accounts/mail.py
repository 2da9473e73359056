"""Mails to users, through a sender that can be replaced; by default every mail is a file in `mail/`."""

from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Protocol
from uuid import uuid4

from infra.clock import now
from infra.files import write_atomically


class Sender(Protocol):
    """Whatever can take a mail: files here, a server elsewhere."""

    def send(self, message: EmailMessage) -> None:
        """Send one mail; called beside the event loop."""


class FileSender:
    """Writes each mail into a file of its own, for us alone to read, in the order of time."""

    def __init__(self, directory: Path) -> None:
        """Write into this directory, which is made with the first mail."""
        self._directory = directory

    def send(self, message: EmailMessage) -> None:
        """Write one mail, whole or not at all."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._directory / f"{now():017d}-{uuid4().hex[:8]}.eml", message.as_bytes(policy=SMTP))


def letter(to: str, subject: str, text: str) -> EmailMessage:
    """Return a plain-text mail from this platform."""
    message = EmailMessage()
    message["To"], message["From"], message["Subject"] = to, "Crypto Analytics <noreply@localhost>", subject
    message.set_content(text)
    return message
