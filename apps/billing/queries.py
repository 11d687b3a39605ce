"""Reads price books: the one in force at a moment, and all that a stretch of time needs."""

import datetime

from django.db.models import Q

from apps.billing.models import PriceBook, PriceItem
from apps.billing.rates import CURRENCY, Book, PriceMissing


def book_at(moment: datetime.datetime) -> Book:
    """Return the book in force at ``moment``, in one query. Raises ``PriceMissing``."""
    found = PriceBook.objects.filter(currency=CURRENCY, valid_from__lte=moment).order_by("-valid_from")[:1]
    books = _read(Q(book__in=found.values("id")))
    if not books:
        raise PriceMissing("no price book is in force")
    return books[0]


def books_between(begins: datetime.datetime, ends: datetime.datetime) -> list[Book]:
    """Return the books in force from ``begins`` to before ``ends``, oldest first; none where none was in force."""
    first = PriceBook.objects.filter(currency=CURRENCY, valid_from__lte=begins).order_by("-valid_from")[:1]
    later = Q(book__currency=CURRENCY, book__valid_from__gt=begins, book__valid_from__lt=ends)
    return _read(Q(book__in=first.values("id")) | later)


def _read(which: Q) -> list[Book]:
    rows: dict[PriceBook, list[PriceItem]] = {}
    for item in PriceItem.objects.filter(which).select_related("book").order_by("book__valid_from"):
        rows.setdefault(item.book, []).append(item)
    return [Book(book.currency, book.valid_from, {i.key: i.amount for i in items}) for book, items in rows.items()]
