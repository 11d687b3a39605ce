"""Verbs on people's ways in: one-time sign-in links and API tokens."""

import datetime
import ipaddress
import secrets
from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts import token_format
from portal.accounts.actors import account_of
from portal.accounts.models import ApiToken, SignInLink, User, digest
from portal.accounts.queries import living_tokens_of
from portal.accounts.scopes import grant_of, is_scope, is_within
from portal.audit import actions as audit
from portal.core import texts
from portal.core.actors import SYSTEM, Actor
from portal.core.errors import FieldError, Problem, invalid, not_found, permission_denied

LINK_LIVES = datetime.timedelta(minutes=10)
TOKENS_PER_PERSON = 100


def new_sign_in_link(*, email: str, actor: Actor = SYSTEM) -> str:
    """Return the path of a new one-time link for a person; only its digest is kept.

    Raises Problem: ``sign_in_link_unavailable`` unless this portal serves loopback, ``not_found`` for nobody's address.
    """
    if not links_work():
        raise _links_unavailable()
    user = User.objects.filter(email__iexact=email, is_active=True, machine_of=None, erased_at=None).first()
    if user is None:
        raise not_found()
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        SignInLink.objects.create(user=user, digest=digest(secret), expires_at=timezone.now() + LINK_LIVES)
        audit.record(actor=actor, action="user.sign_in_link", target_kind="user", target_id=user.id)
    return f"/sign-in/{secret}"


def use_sign_in_link(token: str, *, address: str = "", request_id: str = "") -> User:
    """Return the person whose link this is and spend it: of two that come at once, one wins.

    Raises Problem ``sign_in_link_spent`` for a link that was used, is too old, or never was.
    """
    if not links_work():
        raise _links_unavailable()
    now, key = timezone.now(), digest(token)
    with transaction.atomic():
        if not SignInLink.objects.filter(digest=key, used_at=None, expires_at__gt=now).update(used_at=now):
            raise _link_spent()
        user = User.objects.get(signinlink__digest=key)
        if not user.may_sign_in:
            raise _link_spent()
        actor = Actor("user", user.id, user.email, address=address, request_id=request_id)
        audit.record(actor=actor, action="user.use_sign_in_link", target_kind="user", target_id=user.id)
    return user


def link_is_fresh(token: str) -> bool:
    """Tell whether a link would still work, without spending it."""
    query = SignInLink.objects.filter(digest=digest(token), used_at=None, expires_at__gt=timezone.now())
    return links_work() and query.exists()


def links_work() -> bool:
    """Tell whether one-time links are on: ``manage.py up`` says so, and the portal's own address is this machine's."""
    return bool(settings.SIGN_IN_BY_LINK) and is_loopback(urlsplit(settings.BASE_URL).hostname or "")


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def create_token(
    actor: Actor, *, name: str, scopes: Sequence[str] = (), expires_at: datetime.datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token of the actor's own and return it with its plain text, which is told this once.

    Raises Problem: ``invalid_arguments``; ``permission_denied`` for a token stronger or longer-lived than the one used.
    """
    return issue_token(actor, _person(actor), name=name, scopes=scopes, expires_at=expires_at)


def issue_token(
    actor: Actor, user: User, *, name: str, scopes: Sequence[str] = (), expires_at: datetime.datetime | None = None
) -> tuple[ApiToken, str]:
    """Make a token of ``user``, who is the actor, or a service account that the caller has found to be theirs to use.

    Raises as ``create_token``.
    """
    _check_token(name, scopes, expires_at)
    _refuse_stronger(actor, scopes, expires_at)
    plain = token_format.new_token()
    with transaction.atomic():
        User.objects.select_for_update(no_key=True).get(id=user.id)
        if living_tokens_of(user, None).count() >= TOKENS_PER_PERSON:
            raise invalid(FieldError("/name", "too_many", _("There are 100 tokens. Revoke one that is not used.")))
        token = ApiToken.objects.create(
            user=user,
            name=name.strip(),
            hint=token_format.hint(plain),
            digest=digest(plain),
            scopes=sorted(set(scopes)),
            expires_at=expires_at,
            created_by_id=actor.id if actor.id != user.id else None,
        )
        _record(actor, "token.create", token, {"scopes": [None, token.scopes or "everything"]})
    return token, plain


def revoke_token(actor: Actor, token: ApiToken, *, reason: str = "") -> None:
    """End a token at once. Revoking it again changes nothing."""
    require_writing(actor, "token.revoke")
    if actor.id != token.user_id and not actor.is_operator:
        raise _denied(actor, "token.revoke")
    end_token(actor, token, reason=reason)


def end_token(actor: Actor, token: ApiToken, *, reason: str = "") -> None:
    """End a token that the caller has found to be the actor's to end."""
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            _record(actor, "token.revoke", token, {}, reason)


def end_all_tokens(user: User) -> int:
    """End every token of somebody and return how many; the caller's audit row says so."""
    return ApiToken.objects.filter(user=user, revoked_at=None).update(revoked_at=timezone.now())


def set_active(actor: Actor, user: User, *, active: bool, reason: str) -> None:
    """Shut a person out or let them in again; an operator's to do. Raises Problem ``permission_denied``."""
    if not actor.is_operator or actor.scopes is not None or actor.id == user.id:
        raise _denied(actor, "user.set_active")
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=not active).update(is_active=active):
            changes = {"is_active": [not active, active]}
            audit.record(
                actor=actor,
                action="user.set_active",
                target_kind="user",
                target_id=user.id,
                changes=changes,
                reason=reason,
            )


def require_writing(actor: Actor, action: str) -> None:
    """Raise ``permission_denied``, and record the try, for a token that only reads."""
    if not grant_of(actor.scopes).writes:
        raise _denied(actor, action)


def _person(actor: Actor) -> User:
    user = User.objects.filter(id=account_of(actor), is_active=True).first()
    if user is None:
        raise permission_denied("token.create", "tokens")
    return user


def _check_token(name: str, scopes: Sequence[str], expires_at: datetime.datetime | None) -> None:
    errors: list[FieldError] = []
    if not 0 < len(name.strip()) <= 100:
        errors.append(FieldError("/name", "length", _("Give the token a name of at most 100 characters.")))
    errors += texts.errors("/name", name.strip())
    if expires_at is not None and expires_at <= timezone.now():
        errors.append(FieldError("/expires_at", "past", _("Choose a time that is still to come.")))
    detail = _("Scopes are read, write, project:<slug> and family:<slug>.")
    errors += [FieldError(f"/scopes/{n}", "scope", detail) for n, scope in enumerate(scopes) if not is_scope(scope)]
    if errors:
        raise invalid(*errors)


def _refuse_stronger(actor: Actor, scopes: Sequence[str], expires_at: datetime.datetime | None) -> None:
    """A token makes neither a stronger token nor one that outlives it."""
    require_writing(actor, "token.create")
    used = ApiToken.objects.filter(pk=actor.token_id).first() if actor.token_id else None
    ends = used.expires_at if used else None
    outlives = ends is not None and (expires_at is None or expires_at > ends)
    if outlives or not is_within(scopes, actor.scopes):
        raise _denied(actor, "token.create")


def _denied(actor: Actor, action: str) -> Problem:
    audit.record(actor=actor, action=action, target_kind="token", target_id=actor.token_id, outcome="denied")
    return permission_denied(action, "tokens")


def _record(actor: Actor, action: str, token: ApiToken, changes: dict[str, object], reason: str = "") -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="token",
        target_id=token.id,
        target_name=token.name,
        organization_id=token.user.machine_of,
        changes=changes,
        reason=reason,
    )


def _links_unavailable() -> Problem:
    detail = _("One-time sign-in links work only on a portal that `manage.py up` serves on this machine.")
    return Problem("sign_in_link_unavailable", HTTPStatus.FORBIDDEN, detail)


def _link_spent() -> Problem:
    detail = _("This link was used or is older than ten minutes. Ask for a new one with `manage.py signin`.")
    return Problem("sign_in_link_spent", HTTPStatus.GONE, detail)
