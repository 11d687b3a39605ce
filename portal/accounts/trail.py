"""Audit rows about accounts: signing in, factors, passwords, addresses, sessions. They name kinds, never a secret."""

from django.http import HttpRequest

from portal.accounts.actors import actor_for
from portal.accounts.models import User
from portal.accounts.ways_in import proofs
from portal.audit import actions as audit


def record(
    request: HttpRequest | None,
    user: User,
    action: str,
    *,
    changes: dict[str, object] | None = None,
    reason: str = "",
    outcome: str = "done",
) -> None:
    """Write that somebody did something about their own account."""
    address = str(request.META.get("REMOTE_ADDR", "")) if request else ""
    actor = actor_for(user, address=address, request_id=str(getattr(request, "request_id", "")))
    audit.record(
        actor=actor,
        action=action,
        target_kind="user",
        target_id=user.id,
        changes=changes,
        reason=reason,
        outcome=outcome,
    )


def signed_in(request: HttpRequest, user: User) -> None:
    """Write that somebody is in, and by what: ``password``, ``link, totp``, ``webauthn``, ``oidc:corp``."""
    record(request, user, "user.sign_in", reason=", ".join(dict.fromkeys(proofs(request, user))))
