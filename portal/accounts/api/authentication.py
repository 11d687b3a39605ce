"""How API requests say who they are: a bearer token, or the console's own session with its CSRF token.

Headers of proxies that name a user are not read anywhere.
"""

import datetime
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from portal.accounts.models import ApiToken, User, digest
from portal.accounts.token_format import looks_like_token

USED_EVERY = datetime.timedelta(minutes=1)


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer arc_…``. Sets ``request.auth`` to the ``ApiToken``."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return who the token is of, or None where the header is not about one. Raises AuthenticationFailed (401)."""
        scheme, _separator, value = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = living_token(value.strip())
        if token is None:
            raise AuthenticationFailed(_("This token is unknown, expired or revoked. Make a new one in the console."))
        _note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="Archipel"'


class SameSiteSession(SessionAuthentication):
    """The console's session, for scripts of our own pages only; every unsafe method needs the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        if request.META.get("HTTP_SEC_FETCH_SITE", "same-origin") not in ("same-origin", "none"):
            return None
        return super().authenticate(request)


def living_token(text: str) -> ApiToken | None:
    """Return the token behind its plain text while it and its person are alive; a look-alike costs no query."""
    if not looks_like_token(text):
        return None
    token = ApiToken.objects.select_related("user").filter(digest=digest(text)).first()
    return token if token and token.is_alive and token.user.is_active else None


def _note_use(token: ApiToken) -> None:
    """Remember when the token was used, at most once a minute."""
    now = timezone.now()
    if token.last_used_at is not None and token.last_used_at > now - USED_EVERY:
        return
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_EVERY)
    ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
