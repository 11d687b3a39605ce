"""Helpers of the tests about signing in: codes from mail, codes from an app, second factors."""

import re
import time
from typing import Any

from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.core import mail
from django.test import Client

from portal.accounts.models import User
from portal.audit.models import AuditEvent

PASSWORD = "correct horse battery"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


def code_of(secret: str = SECRET, steps: int = 0) -> str:
    """Return what an app shows now, or some steps of 30 seconds from now."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + steps))


def code_in_mail(to: str) -> str:
    """Return the code of the latest mail to an address."""
    text = next(message.body for message in reversed(mail.outbox) if to in message.to)
    found = re.search(r"^([A-Z0-9]{4,}(?:-[A-Z0-9]+)*)$", text, re.MULTILINE)
    assert found, text
    return found[1]


def enroll(user: User, secret: str = SECRET) -> list[str]:
    """Give somebody a code app and return their recovery codes."""
    with_request: Any = user
    TOTP.activate(with_request, secret)
    return RecoveryCodes.activate(with_request).generate_codes()


def with_password(user: User) -> User:
    user.set_password(PASSWORD)
    user.save()
    return user


def by_password(client: Client, user: User, **form: str) -> Any:
    return client.post("/sign-in", {"email": user.email, "password": PASSWORD, **form})


def is_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def acts(user: User, *, outcome: str = "done") -> list[str]:
    """Return what the audit log has of somebody, oldest first."""
    return list(
        AuditEvent.objects.filter(actor_id=user.id, outcome=outcome).order_by("id").values_list("action", flat=True)
    )


def factors(user: User) -> set[str]:
    return set(Authenticator.objects.filter(user=user).values_list("type", flat=True))
