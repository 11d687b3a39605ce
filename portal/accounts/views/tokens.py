"""The page of one's own API tokens."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from portal.accounts import actions, queries
from portal.accounts.actors import actor_of
from portal.accounts.forms import TokenForm
from portal.core.errors import Problem
from portal.core.htmx import signed_in

FIELDS = {"name": "name", "scopes": "projects", "expires_at": "expires"}


@never_cache
@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def token_list(request: HttpRequest) -> HttpResponse:
    """List one's tokens and make one; its plain text is in this one answer and nowhere else."""
    actor, plain, status = actor_of(request), "", 200
    form = TokenForm(request.POST or None)
    if request.method == "POST":
        plain = _make(request, form)
        form, status = (TokenForm(), 200) if plain else (form, 422)
    context = {"form": form, "tokens": queries.living_tokens(actor), "plain": plain}
    return render(request, "accounts/token_list.html", context, status=status)


@signed_in
@require_POST
def token_revoke(request: HttpRequest, token: str) -> HttpResponse:
    actor = actor_of(request)
    actions.revoke_token(actor, queries.access_token(actor, token))
    messages.success(request, _("The token was revoked. It stopped working at once."))
    return redirect("token_list")


def _make(request: HttpRequest, form: TokenForm) -> str:
    """Return the new token's plain text, or nothing and the form with its errors."""
    if not form.is_valid():
        return ""
    try:
        name = form.cleaned_data["name"]
        return actions.create_token(actor_of(request), name=name, scopes=form.scopes, expires_at=form.expires_at)[1]
    except Problem as problem:
        for error in problem.errors:
            form.add_error(FIELDS.get(error.pointer.split("/")[1]), error.detail)
        return ""
