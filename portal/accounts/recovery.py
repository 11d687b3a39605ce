"""Lets somebody in again who has lost app, passkeys and recovery codes: what was enrolled is taken away."""

from allauth.mfa.models import Authenticator
from django.db import transaction

from portal.accounts import sessions
from portal.accounts.models import User
from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import permission_denied


def remove_factors(actor: Actor, user: User, *, reason: str) -> int:
    """Take away all second factors of somebody, end their sessions, and return how many factors there were.

    For an operator, never about themselves, and for who is at the machine. Raises Problem ``permission_denied``.
    """
    may = actor.kind == "system" or (actor.is_operator and actor.scopes is None and actor.id != user.id)
    kinds = list(Authenticator.objects.filter(user=user).order_by("pk").values_list("type", flat=True))
    with transaction.atomic():
        audit.record(
            actor=actor,
            action="user.factor_remove",
            target_kind="user",
            target_id=user.id,
            changes={"factors": [kinds, []]} if may else {},
            reason=reason,
            outcome="done" if may else "denied",
        )
        if may:
            Authenticator.objects.filter(user=user).delete()
            sessions.end_all(user)
    if not may:
        raise permission_denied("user.factor_remove", "people")
    return len(kinds)
