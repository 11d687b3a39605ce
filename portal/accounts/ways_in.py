"""The one door behind every way in: whatever proved who somebody is, an enrolled second factor is asked for here."""

from allauth.account.app_settings import EmailVerificationMethod
from allauth.account.internal.flows.login import get_authentication_records, record_authentication
from allauth.account.utils import perform_login
from django.http import HttpRequest, HttpResponse

from portal.accounts.models import User

LINK, PASSWORD, SIGN_UP = "link", "password", "sign_up"


def enter(request: HttpRequest, user: User, *, method: str, goal: str) -> HttpResponse:
    """Go on with signing in somebody whom ``method`` has proven, and return the answer: the goal or the next stage.

    A password takes a proven address as well; a one-time link was asked for by somebody at the machine itself.
    """
    note(request, user, method)
    stage = EmailVerificationMethod.NONE if method == LINK else EmailVerificationMethod.MANDATORY
    response: HttpResponse = perform_login(request, user, email_verification=stage, redirect_url=goal)
    return response


def note(request: HttpRequest, user: User, method: str) -> None:
    """Remember in the session that somebody has just proven who they are, and by what."""
    record_authentication(request, user, method=method)


def proofs(request: HttpRequest, user: User) -> list[str]:
    """Return what has proven who it is in this session, in order: ``password``, ``totp``, ``oidc:corp`` …"""
    return [_word(record) for record in get_authentication_records(request, user)]


def _word(record: dict[str, object]) -> str:
    method = str(record.get("method", ""))
    if method == "mfa":
        return str(record.get("type", method))
    return f"oidc:{record.get('provider', '')}" if method == "socialaccount" else method
