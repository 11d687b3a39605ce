"""The one way to a new price: publish a book. The admin site calls it."""

import datetime
from collections.abc import Mapping
from decimal import Decimal

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.billing.models import PriceBook, PriceItem
from apps.billing.pricer import default_spec, price_in
from apps.billing.rates import COMPONENTS, CURRENCY, Book, Key, PriceMissing
from portal.audit import actions as audit
from portal.clusters.models import Region
from portal.core import registry
from portal.core.actors import Actor
from portal.core.errors import FieldError, invalid, permission_denied
from portal.projects.access import provider_permissions

MOST = Decimal(10) ** 10  # what fits the column
SMALLEST_EXPONENT = -10


def publish(
    actor: Actor, *, valid_from: datetime.datetime, amounts: Mapping[Key, Decimal], note: str = "", reason: str
) -> PriceBook:
    """Publish a price book, in force from a moment still to come. It can't be changed or taken back, only followed.

    Raises Problem: ``permission_denied``, ``invalid_arguments``.
    """
    check(actor, valid_from=valid_from, amounts=amounts, reason=reason)
    with transaction.atomic():
        book = PriceBook.objects.create(currency=CURRENCY, valid_from=valid_from, note=note)
        PriceItem.objects.bulk_create(_item(book, key, amount) for key, amount in amounts.items())
        audit.record(
            actor=actor,
            action="prices.publish",
            target_kind="price_book",
            target_id=book.id,
            target_name=str(book),
            changes={"valid_from": [None, valid_from.isoformat()], "lines": [None, len(amounts)]},
            reason=reason,
        )
    return book


def check(actor: Actor, *, valid_from: datetime.datetime, amounts: Mapping[Key, Decimal], reason: str) -> None:
    """Refuse what ``publish`` would refuse. Raises Problem."""
    if "provider.operate" not in provider_permissions(actor):
        audit.record(actor=actor, action="prices.publish", target_kind="price_book", outcome="denied")
        raise permission_denied("provider.operate", "price books")
    errors = [*_moment_errors(valid_from), *_line_errors(amounts)]
    if not reason.strip():
        errors.append(FieldError("/reason", "required", _("Say why.")))
    errors = errors or _gaps(Book(CURRENCY, valid_from, amounts))
    if errors:
        raise invalid(*errors)


def _item(book: PriceBook, key: Key, amount: Decimal) -> PriceItem:
    rate, offering, plan, region = key
    return PriceItem(book=book, rate=rate, offering=offering, plan=plan, region=region, amount=amount)


def _moment_errors(valid_from: datetime.datetime) -> list[FieldError]:
    if valid_from <= timezone.now():
        return [FieldError("/valid_from", "past", _("Prices that were told stay: choose a moment to come."))]
    if PriceBook.objects.filter(currency=CURRENCY, valid_from=valid_from).exists():
        return [FieldError("/valid_from", "taken", _("Another book begins at this moment."))]
    return []


def _line_errors(amounts: Mapping[Key, Decimal]) -> list[FieldError]:
    """Find lines that could never count, such as a misspelt plan, and amounts that can't be kept as they are."""
    regions = set(Region.objects.values_list("slug", flat=True))
    found = [(" ".join(filter(None, key)), _line_error(key, amount, regions)) for key, amount in amounts.items()]
    return [FieldError("/lines", "invalid", f"{line}: {error}") for line, error in found if error]


def _line_error(key: Key, amount: Decimal, regions: set[str]) -> str:
    rate, of, plan, region = key
    offerings = registry.offerings()
    meters = {meter.slug for offering in offerings.values() for meter in offering.meters}
    if rate not in COMPONENTS and rate not in meters:
        return _("there is no such rate or meter.")
    if of and of not in offerings:
        return _("there is no such offering.")
    if plan and (not of or offerings[of].plan(plan) is None):
        return _("this offering has no such plan.")
    if region and region not in regions:
        return _("there is no such region.")
    return "" if _fits(amount) else _("an amount is 0 or more, with at most ten decimals.")


def _fits(amount: Decimal) -> bool:
    exponent = amount.normalize().as_tuple().exponent if amount.is_finite() else None
    return isinstance(exponent, int) and exponent >= SMALLEST_EXPONENT and 0 <= amount < MOST


def _gaps(book: Book) -> list[FieldError]:
    """Find what is sold and would have no price."""
    errors = []
    for offering in registry.offerings().values():
        try:
            for plan in offering.plans:
                price_in(book, offering, plan, default_spec(offering), region="")
        except PriceMissing as gap:
            errors.append(FieldError("/lines", "missing", str(gap)))
    return errors
