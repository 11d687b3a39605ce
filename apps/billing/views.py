"""The public price page."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from apps.billing.pricer import BookPricer
from portal.core import registry
from portal.core.offerings import Offering, Plan
from portal.core.pricing import Price


@dataclass(frozen=True, slots=True)
class Row:
    plan: Plan
    price: Price


@require_GET
def pricing(request: HttpRequest) -> HttpResponse:
    """Show what every plan of every offering costs, to everybody."""
    pricer = BookPricer()
    offerings = sorted(registry.offerings().values(), key=lambda item: item.name.lower())
    tables = [(offering, _rows(pricer, offering)) for offering in offerings]
    return render(request, "billing/pricing.html", {"tables": tables, "book": pricer.book()})


def _rows(pricer: BookPricer, offering: Offering) -> list[Row]:
    return [Row(plan, pricer.price(offering, plan, offering.spec(), region="")) for plan in offering.plans]
