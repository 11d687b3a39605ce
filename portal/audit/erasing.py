"""Erases personal values from sealed rows. Their commitments stay, so the chain stays whole (decision 0006)."""

import uuid
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

from django.db.models import F, Func, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils.translation import gettext as _

from portal.audit import sealing
from portal.audit.exporting import in_batches
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.core.errors import Problem
from portal.core.personal import Holder, Person, mentioning

EMPTY: Mapping[str, Any] = {"target_name": "", "reason": "", "changes": {}}


def erase_addresses(person: uuid.UUID) -> int:
    """Erase the network addresses that a person acted from; return in how many rows. What waits is sealed first.

    Tries at their account by somebody who did not get in are taken as theirs: most are.
    """
    sealing.seal_all()
    return _erase(AuditEvent.objects.filter(_from_theirs(person)), "address", "")


def erase_person(person: Person) -> None:
    """Erase what points at somebody: network addresses they acted from, and values in which one of theirs stands.

    Ids stay, which mean nothing once the account is gone. Raises Problem ``busy`` where rows are being sealed now.
    """
    erase_addresses(person.id)
    for column, nothing in EMPTY.items():
        _erase(mentioning(AuditEvent.objects.all(), column, person), column, nothing)
        if person.name:
            _erase(_naming(person, column), column, nothing)
    if _left(person):
        detail = _("The audit log is being sealed at this moment. Try again in some seconds.")
        raise Problem("busy", HTTPStatus.SERVICE_UNAVAILABLE, detail, retryable=True)


def collect(person: Person) -> dict[str, Iterator[dict[str, Any]]]:
    """Return the rows by and about somebody, newest first; where another acted, from where is theirs."""
    rows = AuditEvent.objects.filter(Q(actor_id=person.id) | Q(target_id=person.id))
    return {"audit": (_row(event, person) for event in in_batches(rows))}


def _row(event: AuditEvent, person: Person) -> dict[str, Any]:
    by_them = event.actor_id == person.id
    return {
        "id": event.public_id,
        "at": event.at,
        "by": "you" if by_them else event.actor_kind,
        "action": event.action,
        "target_kind": event.target_kind,
        "target": event.target_name,
        "organization": ids.encode("org", event.organization_id) if event.organization_id else None,
        "outcome": event.outcome,
        "changes": event.changes,
        "reason": event.reason,
        "address": event.address if by_them else "",
        "request_id": event.request_id if by_them else "",
    }


def _naming(person: Person, column: str) -> QuerySet[AuditEvent]:
    """Return rows about somebody in which their name stands; elsewhere the same word may be anything."""
    about = AuditEvent.objects.filter(Q(target_id=person.id) | Q(actor_id=person.id, target_kind="user"))
    return about.annotate(searched=Cast(column, TextField())).filter(searched__icontains=person.name)


def _from_theirs(person: uuid.UUID) -> Q:
    return Q(actor_id=person) | Q(actor_kind="anonymous", target_kind="user", target_id=person)


def _left(person: Person) -> bool:
    """Whether something is still there: rows that were not sealed, since another worker has their chain in hand."""
    waiting = AuditEvent.objects.unsealed()
    rows: Iterable[QuerySet[AuditEvent]] = (
        waiting.filter(_from_theirs(person.id)).exclude(address=""),
        *(mentioning(waiting, column, person) for column in EMPTY),
    )
    return any(found.exists() for found in rows)


def _erase(rows: QuerySet[AuditEvent], column: str, nothing: Any) -> int:
    keys = rows.filter(position__isnull=False, salts__has_key=column).values("pk")
    return AuditEvent.objects.filter(pk__in=keys).update(**{column: nothing, "salts": _without(column)})


def _without(name: str) -> Func:
    """Return the salts less one, for an update."""
    key = Cast(Value(name), TextField())
    return Func(F("salts"), key, template="(%(expressions)s)", arg_joiner=" - ", output_field=JSONField())


HOLDER = Holder(collect=collect, erase=erase_person)
