"""Asks again who it is before harm is done: views that reveal, destroy or give rights are marked ``@recently``.

Their twins in the API call ``require_recent``.
"""

import time
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, TypeVar
from urllib.parse import urlencode, urlsplit

from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from rest_framework.request import Request

from portal.accounts.models import ApiToken, User
from portal.core.errors import Problem
from portal.core.htmx import Arguments, wants_partial

Answer = TypeVar("Answer", bound=HttpResponseBase)
RECENT = 15 * 60  # seconds that a proof is good for
FRESH = 60 * 60  # seconds after signing in, for who has nothing to prove it with again but another link


def recently(
    view: Callable[Concatenate[HttpRequest, Arguments], Answer],
) -> Callable[Concatenate[HttpRequest, Arguments], Answer | HttpResponse]:
    """Let in who has proven lately who they are; lead others to prove it and back. Stands under ``@signed_in``.

    A form that was sent is not kept meanwhile: the person comes back to the page that it stood on and sends it again.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Answer | HttpResponse:
        return view(request, *args, **kwargs) if is_recent(request) else ask_again(request)

    return guarded


def require_recent(request: Request) -> None:
    """Ask of a call of the API what its page in the console asks: a token is a proof by itself, a session for a while.

    Raises Problem ``reauthentication_required`` (403), whose ``confirm_url`` is the page to confirm it on. Called once
    access is clear, so that a stranger is told nothing by it.
    """
    if isinstance(request.auth, ApiToken) or is_recent(request):
        return
    where = f"{settings.BASE_URL}{_way_to_confirm(request)['url']}"
    detail = _("Signing in is too long ago for this. Confirm at %(url)s that it is you, then send it again.")
    raise Problem(
        "reauthentication_required", HTTPStatus.FORBIDDEN, detail % {"url": where}, extra={"confirm_url": where}
    )


def is_recent(request: HttpRequest | Request) -> bool:
    """Tell whether this session's person has signed in, or proven themselves again, lately enough for harm."""
    user = request.user
    if not isinstance(user, User):
        return False
    times = [float(record["at"]) for record in get_authentication_records(request, user)]
    age = time.time() - max(times, default=0)
    return age < RECENT or (age < FRESH and not can_prove(user))


def can_prove(user: User) -> bool:
    """Tell whether somebody has a password or a factor; who only ever came by link or provider has neither."""
    return bool(get_reauthentication_flows(user))


def ask_again(request: HttpRequest) -> HttpResponse:
    """Lead somebody to prove who they are, and then back to where they are now."""
    url = f"{_way_to_confirm(request)['url']}?{urlencode({'next': _here(request)})}"
    return HttpResponseClientRedirect(url) if wants_partial(request) else HttpResponseRedirect(url)


def _way_to_confirm(request: HttpRequest | Request) -> dict[str, Any]:
    """Return the first of the ways in which somebody can prove who they are: its ``url`` is a path."""
    methods: list[dict[str, Any]] = get_adapter().get_reauthentication_methods(request.user)
    return methods[0]


def _here(request: HttpRequest) -> str:
    """Return the page that somebody looks at: this one, or that which the form or fragment belongs to."""
    if request.method == "GET" and not wants_partial(request):
        return request.get_full_path()
    page = request.headers.get("HX-Current-URL") or request.headers.get("Referer") or ""
    if not url_has_allowed_host_and_scheme(page, {request.get_host()}):
        return str(settings.LOGIN_REDIRECT_URL)
    parts = urlsplit(page)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path or "/"
