"""Reads of the tokens of people and service accounts."""

import uuid

from django.db.models import Q, QuerySet
from django.utils import timezone

from portal.accounts.actors import account_of
from portal.accounts.models import ApiToken, User
from portal.accounts.scopes import is_within
from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import not_found


def living_tokens(actor: Actor) -> QuerySet[ApiToken]:
    """Return the actor's own tokens that work. A scoped token sees none that is stronger than itself."""
    return living_tokens_of(account_of(actor), actor.scopes)


def living_tokens_of(user: User | uuid.UUID, seen_by: frozenset[str] | None) -> QuerySet[ApiToken]:
    """Return somebody's tokens that work, without those that are stronger than the scopes of who looks."""
    alive = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    key = user.pk if isinstance(user, User) else user
    found = ApiToken.objects.filter(alive, user_id=key, revoked_at=None)
    if seen_by is None:
        return found
    weaker = [pk for pk, scopes in found.values_list("pk", "scopes") if is_within(scopes, seen_by)]
    return found.filter(pk__in=weaker)


def access_token(actor: Actor, public_id: str) -> ApiToken:
    """Return one of the actor's own tokens. Raises Problem ``not_found``."""
    key = ids.decode("tok", public_id)
    token = living_tokens(actor).filter(pk=key).first() if key else None
    if token is None:
        raise not_found()
    return token
