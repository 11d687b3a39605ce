"""Signing in with an identity provider: off to it, and back with what it says; ``provider_adapter`` judges that."""

import logging
from urllib.parse import urlsplit

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.openid_connect import views as allauth_views
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST
from requests import RequestException

from portal.accounts.provider_adapter import refused
from portal.core.errors import not_found

logger = logging.getLogger(__name__)
TAKEN = ("next", "process")  # of the query; a provider's own parameters are the configuration's to give


@never_cache
@require_POST
def sign_in_with(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Send somebody to their provider, by a page: the policy on forms allows no redirect to another site."""
    app = _app(request, provider_id)
    request.GET = _only_ours(request)  # type: ignore[assignment]
    try:
        response: HttpResponse = allauth_views.login(request, provider_id)
    except (RequestException, KeyError, ValueError):  # away, or answers with what is no configuration
        logger.warning("the identity provider %s does not answer", provider_id, exc_info=True)
        return _answer(refused(request, app.name, _("It does not answer. Try again later, or sign in another way.")))
    target = response.headers.get("Location", "")
    if response.status_code != 302 or not urlsplit(target).scheme:
        return response
    return render(request, "accounts/provider_redirect.html", {"provider": app.name, "target": target})


@never_cache
@require_http_methods(["GET", "HEAD"])
def sign_in_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Take what a provider sends back, and go on as with a password."""
    app = _app(request, provider_id)
    try:
        response: HttpResponse = allauth_views.callback(request, provider_id)
    except (RequestException, KeyError, ValueError):
        logger.warning("the identity provider %s answers with nonsense", provider_id, exc_info=True)
        return _answer(
            refused(request, app.name, _("What it answered can't be read. Tell the operator of this portal."))
        )
    return response


def _app(request: HttpRequest, provider_id: str) -> SocialApp:
    """Return a configured provider. Raises Problem ``not_found``."""
    try:
        return get_adapter().get_app(request, provider_id)
    except SocialApp.DoesNotExist as error:
        raise not_found() from error


def _only_ours(request: HttpRequest) -> QueryDict:
    kept = QueryDict(mutable=True)
    for name in TAKEN:
        if name in request.GET:
            kept[name] = request.GET[name]
    return kept


def _answer(refusal: ImmediateHttpResponse) -> HttpResponse:
    response: HttpResponse = refusal.response
    return response
