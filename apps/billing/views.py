"""The public price page."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from apps.billing.pricer import BookPricer, default_spec, price_in
from apps.billing.rates import COMPONENTS, Book
from portal.core import registry
from portal.core.offerings import Offering, Plan
from portal.core.pricing import Price


@dataclass(frozen=True, slots=True)
class Row:
    plan: Plan
    price: Price


@dataclass(frozen=True, slots=True)
class Table:
    """One offering's plans."""

    offering: Offering
    rows: list[Row]


@require_safe
def pricing(request: HttpRequest) -> HttpResponse:
    """Show what every plan of every offering costs, to everybody."""
    book = BookPricer().book()
    rates = {rate.replace("-", "_"): book.amount(rate, "", "", "") for rate in COMPONENTS}
    return render(request, "billing/pricing.html", {"groups": _groups(book), "book": book, "rates": rates})


def _groups(book: Book) -> list[tuple[str, list[Table]]]:
    """Return the offerings by family, in the order of the navigation."""
    offerings = sorted(registry.offerings().values(), key=lambda item: item.name.lower())
    names = registry.families()
    known = [*names, *sorted({offering.family for offering in offerings} - names.keys())]
    groups = [(names.get(label, label), [_table(book, o) for o in offerings if o.family == label]) for label in known]
    return [(name, tables) for name, tables in groups if tables]


def _table(book: Book, offering: Offering) -> Table:
    spec = default_spec(offering)
    return Table(offering, [Row(plan, price_in(book, offering, plan, spec, region="")) for plan in offering.plans])
