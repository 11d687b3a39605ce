"""What allauth asks us about identity providers: what one is believed about somebody.

An account is linked or made only by an address that the provider calls verified, in a domain that the operator's
configuration names for it; whatever else it says is refused before anything is written.
"""

import logging
from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, _build_apps_from_settings
from django.http import HttpRequest
from django.shortcuts import render
from django.utils.translation import gettext as _

from portal.accounts import addresses
from portal.accounts.models import User

logger = logging.getLogger(__name__)


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[Any]:
        """Return the providers of the configuration; none is ever kept in the database."""
        found = _build_apps_from_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        """Let in who the operator's own provider vouches for, whether strangers may sign up or not."""
        return True

    def can_authenticate_by_email(self, login: Any, email: str) -> bool:
        """Find a present account by an address that this provider is believed about, and no other."""
        return _refusal_of_address(login) == "" and email.lower() == _email(login)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> Any:
        user = super().populate_user(request, sociallogin, data)
        user.name = str(data.get("name") or "")[:120]
        return user

    def pre_social_login(self, request: HttpRequest, sociallogin: Any) -> None:
        """Refuse before anything is linked. Raises ImmediateHttpResponse with the page that says why."""
        if reason := _refusal(request, sociallogin):
            logger.warning("refused a sign-in by %s: %s", sociallogin.account.provider, reason)
            raise refused(request, _provider_name(sociallogin), reason)

    def on_authentication_error(self, request: HttpRequest, provider: Any, **details: Any) -> None:
        """Answer what failed at or on the way to the provider with our page. Raises ImmediateHttpResponse."""
        logger.warning("sign-in by %s failed: %s %s", provider.sub_id, details.get("error"), details.get("exception"))
        reason = _("It did not confirm who you are. Try again, or sign in another way.")
        raise refused(request, provider.name, reason)


def refused(request: HttpRequest, provider: str, reason: str) -> ImmediateHttpResponse:
    """Return the refusal to raise: a page that names the provider and says what is wrong."""
    context = {"provider": provider, "reason": reason}
    return ImmediateHttpResponse(render(request, "accounts/provider_refused.html", context, status=403))


def _refusal(request: HttpRequest, login: Any) -> str:
    """Return why this sign-in may not go on, or nothing."""
    if reason := _refusal_of_address(login):
        return reason
    person = login.user if login.is_existing else None
    if isinstance(person, User) and not person.may_sign_in:
        return _("This account is closed. An operator of this portal can tell you more.")
    linking = login.state.get("process") == "connect"
    if linking and not (isinstance(request.user, User) and addresses.owns(request.user, _email(login))):
        return _("Its address is not one of your account's. Add it there first.")
    return ""


def _refusal_of_address(login: Any) -> str:
    """Return what is wrong with the address that came, or nothing."""
    said = _claims(login)
    subjects = {
        str(part["sub"]) for part in login.account.extra_data.values() if isinstance(part, dict) and "sub" in part
    }
    if len(subjects) > 1:  # OpenID Connect Core 5.3.2: what is said of somebody else must not be used
        return _("It told about two different people.")
    domains = login.provider.app.settings.get("domains", [])
    if not _email(login) or said.get("email_verified") not in (True, "true"):
        return _("It did not say that your mail address is verified.")
    if _email(login).rpartition("@")[2] not in domains:
        return _("It is not trusted for addresses like yours here: %(domains)s.") % {"domains": ", ".join(domains)}
    return ""


def _email(login: Any) -> str:
    return str(_claims(login).get("email") or "").strip().lower()


def _claims(login: Any) -> dict[str, Any]:
    """Return what was said of the person, where allauth takes it from: userinfo before the ID token."""
    data = login.account.extra_data
    found: dict[str, Any] = data.get("userinfo") or data.get("id_token") or data
    return found


def _provider_name(login: Any) -> str:
    return str(login.provider.app.name)
