"""Hands mail to the SMTP server that the settings name, by Django's own backend, and tries again what failed."""

import datetime
import email
import logging
import random
import smtplib
import uuid
from email.utils import parseaddr

from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend
from django.utils import timezone

from portal.core.vault import Unreadable
from portal.notify.models import Mail
from portal.notify.outbox import content_of

LEASE = datetime.timedelta(seconds=60)  # longer than EMAIL_TIMEOUT
PAUSES = tuple(datetime.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440))
AT_ONCE = 50
logger = logging.getLogger(__name__)


def send_due() -> bool:
    """Send the mails that are due over one connection; return whether there are more."""
    now = timezone.now()
    due = list(Mail.objects.filter(state=Mail.State.QUEUED, next_at__lte=now).order_by("next_at")[: AT_ONCE + 1])
    claimed = [mail for mail in due[:AT_ONCE] if _claim(mail, now)]
    if not claimed:
        return False
    server = EmailBackend(fail_silently=False)
    try:
        for mail in claimed:
            _send(server, mail)
    finally:
        server.close()
    return len(due) > AT_ONCE


def _claim(mail: Mail, now: datetime.datetime) -> bool:
    """Take a mail, unless another worker has."""
    rows = Mail.objects.filter(id=mail.id, state=Mail.State.QUEUED, next_at=mail.next_at)
    until = now + LEASE + datetime.timedelta(microseconds=uuid.uuid4().int % 1000)  # told apart from another's
    mail.next_at = until
    return bool(rows.update(next_at=until))


def _send(server: EmailBackend, mail: Mail) -> None:
    try:
        content = content_of(mail)
        sender = parseaddr(str(email.message_from_bytes(content)["From"]))[1]
        server.open()
        assert server.connection is not None  # noqa: S101
        server.connection.sendmail(sender, [mail.recipient], content)
    except Unreadable:
        _settle(mail, "the key that it was sealed under is gone", is_final=True)
    except (OSError, smtplib.SMTPException) as error:
        server.close()
        _settle(mail, _said(error), is_final=_is_final(error))
    else:
        _settle(mail, "")


def _settle(mail: Mail, error: str, *, is_final: bool = False) -> None:
    """Write how it went, if the mail is still ours."""
    now, attempts = timezone.now(), mail.attempts + 1
    rows = Mail.objects.filter(id=mail.id, state=Mail.State.QUEUED, next_at=mail.next_at)
    if not error:
        rows.update(state=Mail.State.SENT, sent_at=now, attempts=attempts, next_at=None, error="", sealed="")
    elif is_final or attempts > len(PAUSES):
        rows.update(state=Mail.State.FAILED, attempts=attempts, next_at=None, error=error)
        logger.warning("mail %s was given up: %s", mail.public_id, error)
    else:
        pause = PAUSES[attempts - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, keeps no secret
        rows.update(attempts=attempts, next_at=now + pause, error=error)


def _is_final(error: Exception) -> bool:
    """Whether the server refused for good (5xx) this recipient or message."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(500 <= code < 600 for code, _words in error.recipients.values())
    return isinstance(error, smtplib.SMTPDataError) and 500 <= error.smtp_code < 600


def _said(error: Exception) -> str:
    """Say for operators what went wrong: kind and status, nothing of the server's text, which may hold addresses."""
    code = getattr(error, "smtp_code", None)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = next((code for code, _words in error.recipients.values()), None)
    return f"{type(error).__name__} {code or ''}".strip() + f" at {settings.EMAIL_HOST}"
