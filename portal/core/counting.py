"""How many rows a list has, counted no further than people read: a count of all would cost more than the page."""

from typing import Any

from django.db.models import QuerySet

MOST = 1000


def total_of(rows: QuerySet[Any, Any]) -> int | None:
    """Return how many rows there are, or None where there are more than ``MOST``."""
    found = rows.order_by().values("pk")[: MOST + 1].count()
    return None if found > MOST else found
