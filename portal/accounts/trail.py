"""Audit rows about accounts: signing in, factors, passwords, addresses, sessions. They name kinds, never a secret."""

from django.http import HttpRequest

from portal.accounts import tries
from portal.accounts.actors import actor_for, actor_of
from portal.accounts.models import User
from portal.accounts.ways_in import PASSWORD, proofs
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


def wrong_password(request: HttpRequest, email: str) -> None:
    """Write that a password was tried in vain at signing in: at which account, where there is one.

    What was typed as a mail address is not kept: it may be anybody's, or a password in the wrong field.
    """
    user = User.objects.filter(email__iexact=email.strip(), machine_of=None).first()
    if tries.is_worth_a_row(somebody=user is not None):
        audit.record(
            actor=actor_of(request),
            action="user.sign_in",
            target_kind="user",
            target_id=user.id if user else None,
            reason=PASSWORD,
            outcome="denied",
        )


def not_proven(request: HttpRequest, user: User, action: str) -> None:
    """Write that who is signed in did not know their password when they were asked for it again."""
    if tries.is_worth_a_row(somebody=True):
        record(request, user, action, reason=PASSWORD, outcome="denied")
