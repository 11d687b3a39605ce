"""What views of all apps ask and answer about htmx: is a fragment wanted, and how to go on elsewhere."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import redirect, resolve_url
from django.utils.http import urlencode
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

Arguments = ParamSpec("Arguments")
View = Callable[Concatenate[HttpRequest, Arguments], HttpResponse]
OF_PAGES = ("GET", "HEAD", "POST")  # all that links and forms send


def wants_partial(request: HttpRequest) -> bool:
    """Whether htmx asks for a fragment of the page: not a boosted link, not a page brought back from history."""
    headers = request.headers
    whole = headers.get("HX-Boosted") == "true" or headers.get("HX-History-Restore-Request") == "true"
    return headers.get("HX-Request") == "true" and not whole


def signed_in(view: View[Arguments]) -> View[Arguments]:
    """Let in who is signed in; send others to sign in, the whole page also where only a fragment was asked for.

    No page has another method than what links and forms send.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Arguments.args, **kwargs: Arguments.kwargs) -> HttpResponse:
        if request.method not in OF_PAGES:
            return HttpResponseNotAllowed(OF_PAGES)
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        here = request.get_full_path() if request.method == "GET" and not wants_partial(request) else "/"
        target = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': here})}"
        return HttpResponseClientRedirect(target) if wants_partial(request) else HttpResponseRedirect(target)

    return guarded


def done(request: HttpRequest, url: str, message: str = "") -> HttpResponse:
    """Answer a form that did its work: go on to ``url``, where ``message`` appears as a toast."""
    if message:
        messages.success(request, message)
    return HttpResponseClientRedirect(url) if wants_partial(request) else redirect(url)


def toast(response: HttpResponse, message: str, tone: str = "success") -> HttpResponse:
    """Have the page show a toast beside what the answer swaps in."""
    return trigger_client_event(response, "toast", {"message": message, "tone": tone})
