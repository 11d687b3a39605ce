"""Puts allauth's views under our addresses, by our rules for methods, fragments, caching and wrong forms."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache

from portal.accounts.reauthentication import recently
from portal.core.htmx import OF_PAGES, signed_in

AnyView = Callable[..., Any]


def entrance(view: AnyView) -> AnyView:
    """Mount a page for people on their way in."""
    return never_cache(_ours(view))


def own(view: AnyView) -> AnyView:
    """Mount a page about the signed-in person's account."""
    return signed_in(never_cache(_ours(view)))


def guarded(view: AnyView) -> AnyView:
    """Mount a page that does harm in the wrong hands: it asks again who it is."""
    return signed_in(recently(never_cache(_ours(view))))


def _ours(view: AnyView) -> AnyView:
    @wraps(view)
    def mounted(request: HttpRequest, /, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in OF_PAGES:
            return HttpResponseNotAllowed(OF_PAGES)
        response: HttpResponse = view(request, *args, **kwargs)
        if request.method == "POST" and response.status_code == 200 and _has_errors(response):
            response.status_code = 422
        return response

    return mounted


def _has_errors(response: HttpResponse) -> bool:
    """Tell whether a page shows a form with errors, whichever name its view gives the form."""
    context = (response.context_data or {}) if isinstance(response, TemplateResponse) else {}
    return any(getattr(value, "is_bound", False) and value.errors for value in context.values())
