"""One's personal data: a copy to take along, and erasing it."""

from typing import cast

from django.contrib.auth import logout
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from portal.accounts import privacy as actions
from portal.accounts.actors import actor_of
from portal.accounts.models import User
from portal.accounts.reauthentication import recently
from portal.core.errors import Problem
from portal.core.htmx import signed_in


@signed_in
@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Say what is held, what stands against erasing it, and what stays."""
    return _page(request)


@signed_in
@require_POST
@recently
@never_cache
def data(request: HttpRequest) -> HttpResponse:
    """Give the copy, as a zip of JSON files; a POST, since making it is recorded."""
    made = actions.archive(actor_of(request), _person(request))
    name = f"personal-data-{timezone.now():%Y%m%d}.zip"
    sent = FileResponse(made, as_attachment=True, filename=name, content_type="application/zip")
    return cast(HttpResponse, sent)


@signed_in
@require_POST
@recently
def erase(request: HttpRequest) -> HttpResponse:
    """Erase the account for good, when its address was typed and nothing is in the way."""
    user = _person(request)
    if request.POST.get("confirm", "").strip().lower() != user.email.lower():
        return _page(request, error=_("Type your mail address to confirm."), status=422)
    try:
        actions.erase(actor_of(request), user)
    except Problem as problem:
        return _page(request, problem=problem.detail, status=problem.status)
    logout(request)
    return render(request, "accounts/privacy_erased.html")


def _page(request: HttpRequest, *, error: str = "", problem: str = "", status: int = 200) -> HttpResponse:
    user = _person(request)
    context = {"person": user, "obstacles": actions.obstacles(user), "error": error, "problem": problem}
    return render(request, "accounts/privacy.html", context, status=status)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - the decorator has seen to it
    return request.user
