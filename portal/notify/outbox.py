"""The mail backend: each mail is a row, written with what it is about, and sent when that has committed.

Without a mail server (``EMAIL_HOST``) it stays there for operators to read. The whole message is sealed, since it may
hold a link that lets somebody in; once it was sent, it is let go of.
"""

import email
import email.policy
from collections.abc import Sequence

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.utils import timezone

from portal.core.vault import seal, unseal
from portal.notify import tasks
from portal.notify.models import Mail


class Backend(BaseEmailBackend):
    """Keeps mail; what Django and its apps send goes through here as well (``EMAIL_BACKEND``)."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        """Keep a row for each recipient of each message; return how many messages there were."""
        rows = [row for message in email_messages for row in _rows(message)]
        with transaction.atomic():
            Mail.objects.bulk_create(rows)
            if settings.EMAIL_HOST and rows:
                transaction.on_commit(tasks.enqueue_mail)
        return len(email_messages)


def _rows(message: EmailMessage) -> list[Mail]:
    content = seal(message.message().as_bytes().decode("latin-1"))  # any bytes as text, and back
    state = Mail.State.QUEUED if settings.EMAIL_HOST else Mail.State.KEPT
    subject, due = message.subject[:200], timezone.now() if settings.EMAIL_HOST else None
    return [
        Mail(recipient=address, subject=subject, sealed=content, state=state, next_at=due)
        for address in dict.fromkeys(message.recipients())
    ]


def content_of(mail: Mail) -> bytes:
    """Return a mail as it goes over the wire."""
    return unseal(mail.sealed).encode("latin-1")


def text_of(mail: Mail) -> str:
    """Return what a mail says as plain text, to be shown; empty where it was sent and let go of."""
    if not mail.sealed:
        return ""
    message = email.message_from_bytes(content_of(mail), policy=email.policy.default)
    body = message.get_body(("plain", "html"))
    return str(body.get_content()) if body is not None else ""
