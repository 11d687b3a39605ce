"""The one place that listens to allauth's signals, to write down what its flows did; ours send none."""

from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.socialaccount import signals as social
from allauth.usersessions.internal.flows.sessions import end_other_sessions
from django.contrib.auth.signals import user_logged_out
from django.http import HttpRequest

from portal.accounts import second_factor, trail
from portal.accounts.models import User

Given = dict[str, Any]
PLAIN = {  # what is written down as it is
    account.user_signed_up: "user.sign_up",
    account.email_changed: "user.email_change",
    account.email_added: "user.email_add",
    account.email_removed: "user.email_remove",
    account.password_reset_code_rejected: "user.password_reset",
    account.email_verification_code_rejected: "user.email_confirm",
}
DENIED = (account.password_reset_code_rejected, account.email_verification_code_rejected)


def listen() -> None:
    """Connect everything; called once, when the app is ready."""
    for signal in PLAIN:
        signal.connect(_plain, dispatch_uid=f"audit:{PLAIN[signal]}")
    for signal in (account.password_set, account.password_changed, account.password_reset):
        signal.connect(_password_changed)
    mfa.authenticator_added.connect(_factor_added)
    mfa.authenticator_removed.connect(_factor_removed)
    mfa.authenticator_reset.connect(_codes_renewed)
    mfa.authenticator_used.connect(_factor_used)
    mfa.authentication_failed.connect(_factor_failed)
    social.social_account_added.connect(_provider_linked)
    social.social_account_removed.connect(_provider_unlinked)
    user_logged_out.connect(_signed_out)


def _plain(signal: Any, request: HttpRequest, user: User, **given: Any) -> None:
    if signal is account.email_changed and given.get("from_email_address") is None:
        return  # the first address of a new account: signing up says so
    outcome = "denied" if signal in DENIED else "done"
    trail.record(request, user, PLAIN[signal], outcome=outcome)


def _password_changed(request: HttpRequest, user: User, **given: Any) -> None:
    """A password that changed ends the other sessions: Django's hash does it, this takes them off the list as well."""
    trail.record(request, user, "user.password_change")
    end_other_sessions(request, user)


def _factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **given: Any) -> None:
    trail.record(request, user, "user.factor_add", changes={"factor": [None, str(authenticator.type)]})
    if authenticator.type in second_factor.FACTORS:
        second_factor.note_enrolment(request, authenticator)


def _factor_removed(request: HttpRequest, user: User, authenticator: Authenticator, **given: Any) -> None:
    trail.record(request, user, "user.factor_remove", changes={"factor": [str(authenticator.type), None]})


def _codes_renewed(request: HttpRequest, user: User, authenticator: Authenticator, **given: Any) -> None:
    trail.record(request, user, "user.factor_renew", changes={"factor": [str(authenticator.type)] * 2})


def _factor_used(request: HttpRequest, user: User, authenticator: Authenticator, **given: Any) -> None:
    """Write down a proof given again; the one at signing in stands in that row."""
    if given.get("reauthenticated"):
        trail.record(request, user, "user.reauthenticate", reason=str(authenticator.type))


def _factor_failed(request: HttpRequest, user: User, authenticator: Authenticator, **given: Any) -> None:
    trail.record(request, user, "user.second_factor", reason=str(authenticator.type), outcome="denied")


def _provider_linked(request: HttpRequest, sociallogin: Any, **given: Any) -> None:
    changes: Given = {"provider": [None, sociallogin.account.provider]}
    trail.record(request, sociallogin.user, "user.provider_link", changes=changes)


def _provider_unlinked(request: HttpRequest, socialaccount: Any, **given: Any) -> None:
    changes: Given = {"provider": [socialaccount.provider, None]}
    trail.record(request, socialaccount.user, "user.provider_unlink", changes=changes)


def _signed_out(request: HttpRequest, user: User | None, **given: Any) -> None:
    if isinstance(user, User):
        trail.record(request, user, "user.sign_out")
