"""What operators do for people who ask for help: take a lost second factor off, end all sessions. Each with a reason.

It stands in the log of the platform, where the person reads it, and in that of each organization they belong to. A
factor that goes is told to the person as well: whoever asked for it may have been somebody else.
"""

import uuid
from typing import Any

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.accounts import sessions
from portal.accounts.models import User
from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, permission_denied
from portal.notify import actions as notify


@transaction.atomic
def reset_second_factor(actor: Actor, user: User, *, reason: str) -> None:
    """Take all factors of somebody away and end their sessions: whoever found the session of the lost device is out.

    Raises Problem: ``permission_denied`` (also for one's own), ``invalid_arguments``, ``nothing_to_do``.
    """
    _require(actor, user, "user.factor_reset", reason)
    kinds = sorted({str(kind) for kind in Authenticator.objects.filter(user=user).values_list("type", flat=True)})
    if not kinds:
        raise conflict("nothing_to_do", _("This person has no second factor."))
    Authenticator.objects.filter(user=user).delete()
    ended = sessions.end_all(user)
    _record(actor, user, "user.factor_reset", {"factors": [kinds, []], "sessions": [ended, 0]}, reason)
    said = _("An operator took your second factor off and ended your sessions, for this reason: %(reason)s")
    notify.tell(
        [user.id], "security", params={"what": said % {"reason": reason.strip()}}, link=reverse("account_security")
    )


@transaction.atomic
def end_sessions(actor: Actor, user: User, *, reason: str) -> None:
    """Sign somebody out everywhere; tokens go on. Raises Problem ``permission_denied``, ``invalid_arguments``."""
    _require(actor, user, "user.session_end", reason)
    ended = sessions.end_all(user)
    _record(actor, user, "user.session_end", {"sessions": [ended, 0]}, reason)


def _require(actor: Actor, user: User, action: str, reason: str) -> None:
    if not actor.is_operator or actor.scopes is not None or actor.id == user.id or user.is_machine:
        problem = permission_denied(action, "this account")
        raise audit.denied(problem, actor=actor, action=action, target_kind="user", target_id=user.id)
    if not reason.strip():
        raise invalid(FieldError("/reason", "required", _("Say why; the person will read it.")))


def _record(actor: Actor, user: User, action: str, changes: dict[str, Any], reason: str) -> None:
    places: list[uuid.UUID | None] = [None, *user.memberships.values_list("organization_id", flat=True)]
    for organization_id in places:
        audit.record(
            actor=actor,
            action=action,
            target_kind="user",
            target_id=user.id,
            organization_id=organization_id,
            changes=changes,
            reason=reason,
        )
