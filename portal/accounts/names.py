"""The public ids of accounts of which a row holds the bare id alone: ``user_…``, and ``sa_…`` for service accounts."""

import uuid
from functools import lru_cache

from portal.accounts.models import User
from portal.core import ids

KEPT = 10_000  # accounts that a process remembers; what an account is never changes


def account_id(key: uuid.UUID | None) -> str | None:
    """Return the public id of a person or service account."""
    return None if key is None else ids.encode("sa" if _is_machine(key) else "user", key)


@lru_cache(KEPT)
def _is_machine(key: uuid.UUID) -> bool:
    return User.objects.filter(pk=key, machine_of__isnull=False).exists()
