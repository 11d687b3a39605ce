"""Who holds data about people: ``settings.PERSONAL_DATA`` names a ``Holder`` of each package that does.

``accounts.privacy`` asks them all, for a copy that somebody takes along and when somebody is erased.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import F, Func, JSONField, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast
from django.utils.module_loading import import_string

NOBODY = "erased.invalid"  # no mail ever goes to this domain (RFC 2606)


@dataclass(frozen=True, slots=True)
class Person:
    """Whose data it is. ``addresses``: all mail addresses known of them; ``erased``: what is put in their place."""

    id: uuid.UUID
    name: str
    addresses: tuple[str, ...]

    @property
    def erased(self) -> str:
        return f"erased-{self.id.hex}@{NOBODY}"


def nothing(person: Person) -> list[str]:
    """Return no obstacle."""
    return []


@dataclass(frozen=True, slots=True)
class Holder:
    """What a package holds about somebody, by section; what stands against erasing them, in words; and how it goes."""

    collect: Callable[[Person], Mapping[str, Iterable[Mapping[str, Any]]]]
    erase: Callable[[Person], None]
    obstacles: Callable[[Person], list[str]] = nothing


def holders() -> list[Holder]:
    """Return all holders in the order in which they erase."""
    return [import_string(name) for name in settings.PERSONAL_DATA]


def mentioning(rows: QuerySet[Any], field: str, person: Person) -> QuerySet[Any]:
    """Keep the rows that hold an address of somebody in a text or JSON column."""
    found = rows.annotate(searched=Cast(field, TextField()))
    wanted = Q()
    for address in person.addresses:
        wanted |= Q(searched__icontains=address)
    return found.filter(wanted) if wanted else rows.none()


def scrub(rows: QuerySet[Any], field: str, person: Person) -> int:
    """Put what stands for somebody in place of their addresses in a text or JSON column; return in how many rows."""
    number = 0
    column = rows.model._meta.get_field(field)
    for address in person.addresses:
        # An address inside a longer one is another's. In a pattern of PostgreSQL all these stand for themselves.
        pattern = rf"(?<![a-z0-9._%+-]){re.escape(address)}(?![a-z0-9.-]*[a-z0-9])"
        replaced = Func(
            Cast(F(field), TextField()), Value(pattern), Value(person.erased), Value("gi"), function="regexp_replace",
            output_field=TextField(),
        )  # fmt: skip
        value = Cast(replaced, JSONField()) if isinstance(column, JSONField) else replaced
        touched = mentioning(rows, field, Person(person.id, person.name, (address,)))
        number += rows.model._default_manager.filter(pk__in=touched.values("pk")).update(**{field: value})
    return number
