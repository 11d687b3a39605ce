"""The public ids of accounts of which a row holds the bare id alone: ``user_…``, and ``sa_…`` for service accounts."""

import uuid
from functools import lru_cache
from typing import TypeVar, cast

from django.db.models import Exists, Model, OuterRef, QuerySet

from portal.accounts.models import User
from portal.core import ids

Row = TypeVar("Row", bound=Model)
KEPT = 10_000  # accounts that a process remembers; what an account is never changes


def account_id(key: uuid.UUID | None, *, by_machine: bool | None = None) -> str | None:
    """Return the public id of a person or service account; where ``by_machine`` is given, nothing is looked up."""
    if key is None:
        return None
    return ids.encode("sa" if (_is_machine(key) if by_machine is None else by_machine) else "user", key)


def with_by_machine(rows: QuerySet[Row], column: str) -> QuerySet[Row]:
    """Tell with each row whether the account in ``column`` is a service account: a list asks once, not for each."""
    machines = User.objects.filter(pk=OuterRef(column), machine_of__isnull=False)
    return cast("QuerySet[Row]", rows.annotate(by_machine=Exists(machines)))


@lru_cache(KEPT)
def _is_machine(key: uuid.UUID) -> bool:
    return User.objects.filter(pk=key, machine_of__isnull=False).exists()
