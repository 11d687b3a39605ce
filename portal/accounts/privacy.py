"""A copy of all that is held about somebody, and erasing it: asked of every package that holds some (core.personal)."""

import io
import json
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import IO, Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.accounts import sessions
from portal.accounts.models import ApiToken, SignInLink, User
from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.errors import conflict, not_found, permission_denied
from portal.core.export import plain
from portal.core.personal import Holder, Person, holders

READ_ME = """Everything that this portal holds about you, made at %(time)s UTC.

One file for each kind of thing, as JSON. Secrets are not in it: passwords and tokens are kept as digests that nobody
can turn back, and factors as sealed values. What your organizations run belongs to them and is not in it either.
"""


def person_of(user: User) -> Person:
    """Return whose data is asked for, with every address known of them. Raises Problem ``not_found`` for a machine."""
    if user.is_machine or user.erased_at is not None:
        raise not_found()
    others = EmailAddress.objects.filter(user=user).values_list("email", flat=True)
    return Person(user.id, user.name, tuple(dict.fromkeys([user.email.lower(), *(email.lower() for email in others)])))


def archive(actor: Actor, user: User) -> IO[bytes]:
    """Return a zip of JSON files with all that is held about somebody; that it was made is recorded.

    The log's part ends with ``exporting.MOST`` rows, which are some megabytes once they are packed.

    Raises Problem ``permission_denied`` for anybody but themselves.
    """
    if actor.id != user.id or actor.scopes is not None:
        raise permission_denied("user.export", "personal data")
    person = person_of(user)
    _record(actor, user, "user.export", reason="")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("README.txt", READ_ME % {"time": f"{timezone.now():%Y-%m-%d %H:%M}"})
        for holder in holders():
            for name, rows in holder.collect(person).items():
                with file.open(f"{name}.json", "w") as entry:
                    _write(entry, rows)
    made.seek(0)
    return made


def obstacles(user: User) -> list[str]:
    """Return what stands against erasing somebody, in words that say what to do first."""
    person = person_of(user)
    return [words for holder in holders() for words in holder.obstacles(person)]


def erase(actor: Actor, user: User, *, reason: str = "") -> None:
    """Erase somebody for good: their row stays as a pseudonym that nobody signs in as, ids in the audit log stay.

    People do it to themselves, operators by request and with a reason. Raises Problem: ``permission_denied``,
    ``can_not_be_erased`` with what is in the way, ``busy``.
    """
    _require(actor, user, reason)
    with transaction.atomic():
        held = User.objects.select_for_update().get(pk=user.pk)
        person = person_of(held)
        if found := obstacles(held):
            raise conflict("can_not_be_erased", " ".join(found), obstacles=found)
        _record(replace(actor, address="") if actor.id == user.id else actor, user, "user.erase", reason)
        for holder in holders():
            holder.erase(person)


def collect(person: Person) -> Mapping[str, Iterable[Mapping[str, Any]]]:
    """Return the account itself, and what hangs on it. No secret is among it, nor what one could be tried against."""
    user = User.objects.get(id=person.id)
    tokens = user.tokens.values("name", "hint", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    addresses = EmailAddress.objects.filter(user=user).values("email", "verified", "primary")
    used = UserSession.objects.filter(user=user).values("ip", "user_agent", "created_at", "last_seen_at")
    linked = SocialAccount.objects.filter(user=user).values("provider", "uid", "date_joined", "last_login")
    return {
        "account": [_account(user)],
        "addresses": addresses,
        "tokens": tokens,
        "sessions": used,
        "factors": [_factor(row) for row in Authenticator.objects.filter(user=user)],
        "linked_providers": linked,
    }


def erase_account(person: Person) -> None:
    """Take every way in, and leave a row that says nothing of whose it was. Comes last: others ask by its address."""
    user = User.objects.get(id=person.id)
    sessions.end_all(user)
    for model in (ApiToken, SignInLink, EmailAddress, Authenticator, SocialAccount, UserSession):
        model._default_manager.filter(user=user).delete()
    LogEntry.objects.filter(object_id=str(user.pk)).update(object_repr=person.erased)
    user.email, user.name, user.erased_at = person.erased, "", timezone.now()
    user.is_active = user.is_operator = user.is_support = False
    user.last_login = None
    user.set_unusable_password()
    user.save()


def last_operator(person: Person) -> list[str]:
    """Return that somebody is the last operator, without whom nobody could help anybody."""
    operators = User.objects.filter(is_operator=True, is_active=True)
    if operators.filter(id=person.id).exists() and not operators.exclude(id=person.id).exists():
        return [_("You are the last operator of this portal. Make somebody else an operator first.")]
    return []


def _account(user: User) -> dict[str, Any]:
    names = ("email", "name", "is_active", "is_operator", "is_support", "created_at", "last_login")
    return {"id": user.public_id, **{name: getattr(user, name) for name in names}}


def _factor(row: Authenticator) -> dict[str, Any]:
    name = getattr(row.wrap(), "name", "") if row.type == Authenticator.Type.WEBAUTHN else ""
    return {"type": row.type, "name": name, "created_at": row.created_at, "last_used_at": row.last_used_at}


def _write(entry: IO[bytes], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a list a row at a time."""
    text = io.TextIOWrapper(entry, encoding="utf-8")
    text.write("[")
    for number, row in enumerate(rows):
        text.write(",\n" if number else "\n")
        json.dump(row, text, ensure_ascii=False, default=plain)
    text.write("\n]\n")
    text.flush()
    text.detach()  # the archive closes the entry


def _require(actor: Actor, user: User, reason: str) -> None:
    itself = actor.id == user.id and actor.scopes is None and actor.token_id is None
    by_operator = actor.is_operator and actor.scopes is None and bool(reason.strip())
    if not (itself or by_operator):
        problem = permission_denied("user.erase", "this account")
        raise audit.denied(problem, actor=actor, action="user.erase", target_kind="user", target_id=user.id)


def _record(actor: Actor, user: User, action: str, reason: str) -> None:
    audit.record(actor=actor, action=action, target_kind="user", target_id=user.id, reason=reason)


HOLDER = Holder(collect=collect, erase=erase_account, obstacles=last_operator)
