"""Second factors: who has one, whether a session has shown it, and where somebody is led who has to."""

from urllib.parse import urlencode

from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.mfa.models import Authenticator
from django.http import HttpRequest
from django.urls import reverse

from portal.accounts.models import User

FACTORS = (Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN)  # recovery codes only stand in for one
AFTERWARDS = "after_enrolment"  # key in the session


def has_second_factor(user: User) -> bool:
    """Tell whether a code app or a passkey is enrolled."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists())


def has_passkey(user: User) -> bool:
    """Tell whether a passkey is enrolled that signs in by itself."""
    rows = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.WEBAUTHN)
    return any(row.wrap().is_passwordless for row in rows)


def is_strong(request: HttpRequest) -> bool:
    """Tell whether a second factor, or a passkey alone, was shown in this session and is still enrolled."""
    user = request.user
    if not isinstance(user, User):
        return False
    shown = any(record.get("method") == "mfa" for record in get_authentication_records(request, user))
    return shown and has_second_factor(user)


def way_to_strength(request: HttpRequest, goal: str) -> str:
    """Return where to send somebody whose session must become strong: to show a factor, or to enrol one first.

    Either leads on to ``goal``, a path of this site.
    """
    user = request.user
    kinds = set(Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).values_list("type", flat=True))
    if not kinds:
        request.session[AFTERWARDS] = goal
        return f"{reverse('account_security')}?{urlencode({'required': 1})}"
    name = "mfa_reauthenticate" if Authenticator.Type.TOTP in kinds else "mfa_reauthenticate_webauthn"
    return f"{reverse(name)}?{urlencode({'next': goal})}"


def note_enrolment(request: HttpRequest, authenticator: Authenticator) -> None:
    """Make the session strong in which a factor was enrolled, which takes showing it."""
    kind = authenticator.type
    record_authentication(request, request.user, method="mfa", type=kind, id=authenticator.pk, reauthenticated=True)
