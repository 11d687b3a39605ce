"""A person's own account: name and addresses, everything about security in one look, where they are signed in."""

from typing import Any

from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts import passkeys, person, second_factor, sessions
from portal.accounts.forms import NameForm
from portal.accounts.models import User
from portal.accounts.reauthentication import recently
from portal.core.errors import Problem
from portal.core.htmx import done, signed_in


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    """Show and change what the portal calls somebody; addresses have a page of their own."""
    user = _person(request)
    form = NameForm(request.POST or None, initial={"name": user.name})
    if request.method == "POST" and form.is_valid() and _named(request, user, form):
        return done(request, request.path, _("Saved."))
    context = {"form": form, "person": user}
    return render(request, "accounts/account.html", context, status=422 if form.errors else 200)


@signed_in
@require_http_methods(["GET", "HEAD"])
def account_security(request: HttpRequest) -> HttpResponse:
    """Show password, factors, recovery codes and linked providers."""
    user = _person(request)
    context: dict[str, Any] = {
        "person": user,
        "has_second_factor": second_factor.has_second_factor(user),
        "required": "required" in request.GET,
        "passkeys_work": passkeys.works_here(request),
        "other_address": passkeys.other_address(request),
        "linked": SocialAccount.objects.filter(user=user).order_by("date_joined"),
        **_factors(user),
    }
    return render(request, "accounts/account_security.html", context)


@signed_in
@require_http_methods(["GET", "HEAD"])
def session_list(request: HttpRequest) -> HttpResponse:
    """Show where the person is signed in."""
    return render(request, "accounts/session_list.html", {"sessions": sessions.sessions_of(_person(request))})


@signed_in
@require_POST
def session_end(request: HttpRequest, session: int) -> HttpResponse:
    """End one session at once; it takes no proof, since it only takes away."""
    sessions.end_session(request, sessions.access_session(_person(request), session))
    return done(request, "/account/sessions", _("That session was ended."))


@signed_in
@require_POST
def session_end_others(request: HttpRequest) -> HttpResponse:
    """End all sessions but this one."""
    ended = sessions.end_others(request)
    message = ngettext("%(ended)d session was ended.", "%(ended)d sessions were ended.", ended) % {"ended": ended}
    return done(request, "/account/sessions", message)


@signed_in
@require_POST
@recently
def provider_unlink(request: HttpRequest, link: int) -> HttpResponse:
    """Let go of a linked identity provider, as long as another way in is left."""
    problem = person.unlink(request, _person(request), link)
    (messages.error if problem else messages.success)(request, problem or _("It is not linked any more."))
    return redirect("account_security")


def _named(request: HttpRequest, user: User, form: NameForm) -> bool:
    """Set the name, or leave the form with what is wrong with it."""
    try:
        person.set_name(request, user, name=form.cleaned_data["name"])
    except Problem as problem:
        for error in problem.errors:
            form.add_error(error.pointer.removeprefix("/"), error.detail)
        return False
    return True


def _factors(user: User) -> dict[str, Any]:
    """Return the enrolled factors by kind, and how many recovery codes are left."""
    rows = list(Authenticator.objects.filter(user=user).order_by("created_at"))
    kinds = Authenticator.Type
    codes = next((row.wrap() for row in rows if row.type == kinds.RECOVERY_CODES), None)
    return {
        "app": next((row for row in rows if row.type == kinds.TOTP), None),
        "passkeys": [row for row in rows if row.type == kinds.WEBAUTHN],
        "codes": codes,
        "codes_left": len(codes.get_unused_codes()) if codes else 0,
    }


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - the decorator has seen to it
    return request.user
