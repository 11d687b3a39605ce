"""The page of one's own API tokens."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts import actions, queries
from portal.accounts.actors import actor_of
from portal.accounts.reauthentication import ask_again, is_recent
from portal.accounts.token_forms import TokenForm, rows_of
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.htmx import done, signed_in

# What settings.PLACES_FOR_TOKENS names: slug and name of the projects that a token can be limited to.
Projects = Callable[[Actor], list[tuple[str, str]]]


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """List one's tokens and make one; its plain text is in this one answer and nowhere else."""
    if request.method == "POST" and not is_recent(request):
        return ask_again(request)
    actor, plain, status = actor_of(request), "", 200
    find: Projects = import_string(settings.PLACES_FOR_TOKENS)
    projects = find(actor)
    form = TokenForm(request.POST if request.method == "POST" else None, projects=projects)
    if request.method == "POST":
        plain = _make(request, form)
        form, status = (TokenForm(projects=projects), 200) if plain else (form, 422)
    tokens = rows_of(queries.living_tokens(actor), lambda token: reverse("token_revoke", args=[token.public_id]))
    return render(request, "accounts/token_list.html", {"form": form, "tokens": tokens, "plain": plain}, status=status)


@signed_in
@require_POST
def token_revoke(request: HttpRequest, token: str) -> HttpResponse:
    actor = actor_of(request)
    actions.revoke_token(actor, queries.access_token(actor, token))
    return done(request, reverse("token_list"), _("The token was revoked. It stopped working at once."))


def _make(request: HttpRequest, form: TokenForm) -> str:
    """Return the new token's plain text, or nothing and the form with its errors."""
    if not form.is_valid():
        return ""
    try:
        name = form.cleaned_data["name"]
        return actions.create_token(actor_of(request), name=name, scopes=form.scopes, expires_at=form.expires_at)[1]
    except Problem as problem:
        form.show(problem)
        return ""
