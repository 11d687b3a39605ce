"""The way into the admin site: for the provider's people, in a session that has shown a second factor."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme

from portal.accounts import second_factor
from portal.core.admin import sign_in_first

HOME = "/admin/"


def close() -> None:
    """Set the gate, and take away allauth's own pages, which would show factors and sessions as they are kept.

    Called once all admin modules are loaded.
    """
    admin.site.has_permission = may_enter  # type: ignore[method-assign]
    admin.site.login = strong_first  # type: ignore[method-assign]
    for model in (Authenticator, UserSession, SocialAccount, SocialApp, SocialToken):
        if admin.site.is_registered(model):
            admin.site.unregister(model)


def may_enter(request: HttpRequest) -> bool:
    """Tell whether one of the provider's people asks, with a second factor."""
    return _is_staff(request) and second_factor.is_strong(request)


def strong_first(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Lead the provider's people to their second factor, or to enroll one, and on to where they wanted to go."""
    if _is_staff(request) and not second_factor.is_strong(request):
        goal = request.GET.get("next", HOME)
        safe = url_has_allowed_host_and_scheme(goal, {request.get_host()})
        return HttpResponseRedirect(second_factor.way_to_strength(request, goal if safe else HOME))
    return sign_in_first(request, extra_context)


def _is_staff(request: HttpRequest) -> bool:
    return bool(request.user.is_active and getattr(request.user, "is_staff", False))
