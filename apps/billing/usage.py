"""What a service used and what that comes to, derived from its history alone (DESIGN 9). Pure: rows in, amounts out.

Moments count in whole seconds: whatever way a stretch of time is cut at whole seconds, the parts add up to the whole.
Nothing is rounded but a bill's line, by ``on_the_line``. A caller bills no further than now.
"""

import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from apps.billing.rates import Book, PriceMissing, counted
from portal.core.offerings import Meter, Offering, Plan

SECONDS_PER_HOUR = 3600
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Mark:
    """One row of ``Change``: from ``at`` on a service is like this. ``present`` False means gone for good."""

    at: datetime.datetime
    plan: str
    running: bool
    present: bool = True
    spec: Mapping[str, Any] = field(default_factory=dict)
    spec_version: int = 1
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time, the end not included, in which a service stayed as ``mark`` says."""

    begins: datetime.datetime
    ends: datetime.datetime
    mark: Mark

    @property
    def seconds(self) -> int:
        return int((self.ends - self.begins).total_seconds())


@dataclass(frozen=True, slots=True)
class Charge:
    """What one meter counted in an interval. ``unit_price`` is for one unit and hour, ``quantity`` in unit-seconds."""

    interval: Interval
    meter: Meter
    quantity: Decimal
    unit_price: Decimal
    currency: str

    @property
    def amount(self) -> Decimal:
        """Return the amount net of tax, not rounded."""
        return self.quantity * self.unit_price / SECONDS_PER_HOUR


def intervals(history: Iterable[Mark], begins: datetime.datetime, ends: datetime.datetime) -> Iterator[Interval]:
    """Yield the stretches between two moments in which there was something to bill, oldest first.

    Of marks in one second the last given counts.
    """
    marks = sorted((replace(mark, at=_second(mark.at)) for mark in history), key=lambda mark: mark.at)
    for mark, following in itertools.zip_longest(marks, marks[1:]):
        start = max(mark.at, _second(begins))
        end = min(following.at, _second(ends)) if following else _second(ends)
        if mark.present and start < end:
            yield Interval(start, end, mark)


def charges(
    offering: Offering,
    history: Iterable[Mark],
    books: Sequence[Book],
    *,
    region: str,
    begins: datetime.datetime,
    ends: datetime.datetime,
) -> list[Charge]:
    """Return what a service is charged between two moments, each second by the book in force then.

    ``books`` go oldest first. Raises ``PriceMissing`` where no book was in force or one lacks a line, and LookupError
    for a plan that the offering does not have.
    """
    pieces = (piece for interval in intervals(history, begins, ends) for piece in _by_book(interval, books))
    return [charge for piece, book in pieces for charge in _charge(offering, piece, book, region)]


def on_the_line(parts: Iterable[Charge]) -> Decimal:
    """Return the amount of a bill's line: all its parts together, rounded once to the cent, halves up."""
    return sum((part.amount for part in parts), Decimal(0)).quantize(CENT, ROUND_HALF_UP)


def _by_book(interval: Interval, books: Sequence[Book]) -> Iterator[tuple[Interval, Book]]:
    if not books or _second(books[0].valid_from) > interval.begins:
        raise PriceMissing(f"no price book was in force on {interval.begins:%Y-%m-%d %H:%M:%S}")
    for book, following in itertools.zip_longest(books, books[1:]):
        start = max(_second(book.valid_from), interval.begins)
        end = min(_second(following.valid_from), interval.ends) if following else interval.ends
        if start < end:
            yield replace(interval, begins=start, ends=end), book


def _charge(offering: Offering, interval: Interval, book: Book, region: str) -> Iterator[Charge]:
    mark, plan = interval.mark, _plan(offering, interval.mark.plan)
    spec = offering.load_spec(dict(mark.spec), mark.spec_version)
    for meter, units in counted(offering, plan, spec, running=mark.running):
        price = book.unit_price(offering, plan, meter, region)
        yield Charge(interval, meter, units * interval.seconds, price, book.currency)


def _plan(offering: Offering, slug: str) -> Plan:
    plan = offering.plan(slug)
    if plan is None:
        raise LookupError(f"{offering.slug} has no plan {slug!r}, so its usage has no price")
    return plan


def _second(moment: datetime.datetime) -> datetime.datetime:
    return moment.replace(microsecond=0)
