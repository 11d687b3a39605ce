"""Erases personal values from sealed rows. Their commitments stay, so the chain stays whole (decision 0006)."""

import uuid

from django.db.models import F, Func, JSONField, TextField, Value
from django.db.models.functions import Cast

from portal.audit import sealing
from portal.audit.models import AuditEvent


def erase_addresses(person: uuid.UUID) -> int:
    """Erase the network addresses that a person acted from; return in how many rows. What waits is sealed first."""
    sealing.seal_all()
    rows = AuditEvent.objects.filter(actor_id=person, position__isnull=False, salts__has_key="address")
    return rows.update(address="", salts=_without("address"))


def _without(name: str) -> Func:
    """Return the salts less one, for an update."""
    key = Cast(Value(name), TextField())
    return Func(F("salts"), key, template="(%(expressions)s)", arg_joiner=" - ", output_field=JSONField())
