"""Makes the actor of a request; every view starts with it."""

import uuid

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from rest_framework.request import Request

from portal.accounts.models import ApiToken, User
from portal.core.actors import Actor

NOBODY = uuid.UUID(int=0)


def actor_of(request: HttpRequest | Request) -> Actor:
    """Return who asks. Somebody not signed in is an actor too, of kind ``anonymous``, who may do nothing."""
    user: User | AnonymousUser = request.user
    address, request_id = str(request.META.get("REMOTE_ADDR", "")), str(getattr(request, "request_id", ""))
    if not isinstance(user, User):
        return Actor("anonymous", None, "Anonymous", scopes=frozenset(), address=address, request_id=request_id)
    token = getattr(request, "auth", None)
    return actor_for(user, token if isinstance(token, ApiToken) else None, address=address, request_id=request_id)


def actor_for(user: User, token: ApiToken | None = None, *, address: str = "", request_id: str = "") -> Actor:
    """Return the actor that a person is, narrowed to a token's scopes where one is used."""
    return Actor(
        kind="service_account" if user.is_machine else "user",
        id=user.id,
        label=user.label,
        is_operator=user.is_operator,
        is_support=user.is_support,
        scopes=frozenset(token.scopes) if token and token.scopes else None,
        token_id=token.id if token else None,
        address=address,
        request_id=request_id,
    )


def account_of(actor: Actor) -> uuid.UUID:
    """Return the id to look for memberships and tokens by; the platform and the anonymous have none of them."""
    return actor.id if actor.kind in ("user", "service_account") and actor.id else NOBODY
