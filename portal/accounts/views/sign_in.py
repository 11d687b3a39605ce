"""Signing in, by password or by a one-time link, and out. What is proven here goes on through ``ways_in``."""

from allauth.account.internal.flows.logout import logout
from allauth.account.internal.stagekit import clear_login
from allauth.socialaccount.adapter import get_adapter as get_provider_adapter
from django.conf import settings
from django.contrib.auth import authenticate
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts import actions, signup, trail, tries, ways_in
from portal.accounts.actors import actor_of
from portal.accounts.forms import PasswordForm
from portal.accounts.models import User
from portal.accounts.passkeys import works_here
from portal.core.errors import Problem
from portal.core.htmx import signed_in


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """Show the ways in, and take a password."""
    goal = _goal(request)
    if request.user.is_authenticated:
        return redirect(goal)
    form, status = PasswordForm(request.POST or None), 200
    if request.method == "POST":
        clear_login(request)
        status, user = _person_by_password(request, form)
        if user is not None:
            return ways_in.enter(request, user, method=ways_in.PASSWORD, goal=goal)
    context = {
        "form": form,
        "next": goal,
        "links_work": actions.links_work(),
        "sign_up": signup.is_open(request),
        "providers": get_provider_adapter().list_apps(request),
        "passkeys_work": works_here(request),
    }
    return render(request, "accounts/sign_in.html", context, status=status)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask for confirmation, so that a program that only looks at the link doesn't spend it; then sign in."""
    address = str(request.META.get("REMOTE_ADDR", ""))
    fresh = actions.is_loopback(address) and actions.link_is_fresh(token)
    if request.method == "POST" and fresh:
        user = actions.use_sign_in_link(token, address=address, request_id=actor_of(request).request_id)
        logout(request, show_message=False)  # of whoever used this browser until now
        return ways_in.enter(request, user, method=ways_in.LINK, goal=settings.LOGIN_REDIRECT_URL)
    return render(request, "accounts/sign_in_link.html", {"fresh": fresh}, status=200 if fresh else 410)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out, or give up a sign-in half way, and lead to the way in; a ``next`` waits behind it."""
    goal = _goal(request)
    logout(request, show_message=False)
    query = "" if goal == settings.LOGIN_REDIRECT_URL else f"?{urlencode({'next': goal})}"
    return redirect(f"{settings.LOGIN_URL}{query}")


@signed_in
@never_cache
@require_http_methods(["GET", "HEAD"])
def sign_in_again(request: HttpRequest) -> HttpResponse:
    """Tell somebody without password and factor that this takes signing in anew."""
    return render(request, "accounts/sign_in_again.html", {"next": _goal(request)})


def _person_by_password(request: HttpRequest, form: PasswordForm) -> tuple[int, User | None]:
    """Return the answer's status and the person, if mail address and password are theirs."""
    if not form.is_valid():
        return 422, None
    email, password = form.cleaned_data["email"], form.cleaned_data["password"]
    try:
        tries.count_try(address=actor_of(request).address, email=email)
    except Problem as problem:
        form.add_error(None, problem.detail)
        return problem.status, None
    user = authenticate(request, username=email, email=email, password=password)
    if not isinstance(user, User):
        trail.wrong_password(request, email)
        form.add_error(None, _("Mail address and password don't belong together."))
        return 422, None
    tries.forget_tries(email=email)
    return 200, user


def _goal(request: HttpRequest) -> str:
    """Return where to go afterwards; never another site."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe else settings.LOGIN_REDIRECT_URL
