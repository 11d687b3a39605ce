"""New prices: an operator publishes a book with a reason; nothing that was told or billed changes."""

import datetime
from collections.abc import Callable
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from apps.billing import actions, queries
from apps.billing.forms import as_text
from apps.billing.models import PriceBook
from apps.billing.rates import Key
from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters.models import Region
from portal.core.actors import Actor
from portal.core.errors import Problem
from tests.billing.conftest import RATES

pytestmark = pytest.mark.django_db
ADD = "/admin/billing/pricebook/add/"
VCPU: Key = ("vcpu-hour", "", "", "")


def soon() -> datetime.datetime:
    return timezone.now().replace(microsecond=0) + datetime.timedelta(days=30)


def publish(
    actor: Actor,
    amounts: dict[Key, Decimal] = RATES,
    *,
    at: datetime.datetime | None = None,
    reason: str = "Dearer power.",
) -> PriceBook:
    return actions.publish(actor, valid_from=at or soon(), amounts=amounts, note="Spring", reason=reason)


def refusal(actor: Actor, amounts: dict[Key, Decimal]) -> str:
    with pytest.raises(Problem) as caught:
        publish(actor, amounts)
    return " ".join(error.detail for error in caught.value.errors) or caught.value.detail


def test_an_operator_publishes_with_a_reason_and_nobody_else_does(
    operator: User, support: User, owner: User, actor_of: Callable[..., Actor]
) -> None:
    before = PriceBook.objects.count()
    for somebody in (support, owner):
        with pytest.raises(Problem, match="permission_denied"):
            publish(actor_of(somebody))
    with pytest.raises(Problem, match="Say why"):
        publish(actor_of(operator), reason=" ")
    assert PriceBook.objects.count() == before
    book = publish(actor_of(operator))
    assert queries.book_at(book.valid_from).amounts == RATES
    event = AuditEvent.objects.get(action="prices.publish", outcome="done")
    assert (event.target_id, event.reason) == (book.id, "Dearer power.")
    assert AuditEvent.objects.filter(action="prices.publish", outcome="denied").count() == 2


def test_a_book_begins_in_the_future_and_at_a_moment_of_its_own(operator: User, actor_of: Callable[..., Actor]) -> None:
    actor = actor_of(operator)
    with pytest.raises(Problem, match="Prices that were told stay"):
        publish(actor, at=timezone.now() - datetime.timedelta(seconds=1))
    taken = publish(actor).valid_from
    with pytest.raises(Problem, match="Another book begins"):
        publish(actor, at=taken)


@pytest.mark.parametrize(
    "line, amount, why",
    [
        (("vcpu-second", "", "", ""), "1", "no such rate"),
        (("vcpu-hour", "nosuch", "", ""), "1", "no such offering"),
        (("vcpu-hour", "toy", "huge-1", ""), "1", "no such plan"),
        (("vcpu-hour", "", "dev-2", ""), "1", "no such plan"),
        (("vcpu-hour", "", "", "atlantis"), "1", "no such region"),
        (("vcpu-hour", "toy", "", ""), "-1", "0 or more"),
        (("vcpu-hour", "toy", "", ""), "NaN", "0 or more"),
        (("vcpu-hour", "toy", "", ""), "10000000000", "0 or more"),
        (("vcpu-hour", "toy", "", ""), "0.00000000001", "ten decimals"),
    ],
)
def test_a_line_that_could_not_count_is_refused(
    line: Key, amount: str, why: str, operator: User, actor_of: Callable[..., Actor], toys: None
) -> None:
    Region.objects.create(slug="north", name="North")
    actor = actor_of(operator)
    assert why in refusal(actor, {**RATES, line: Decimal(amount)})
    good: dict[Key, Decimal] = {("vcpu-hour", "toy", "dev-2", "north"): Decimal("0.0000000001")}
    assert publish(actor, {**RATES, **good}).items.count() == len(RATES) + 1


def test_everything_sold_needs_a_price(operator: User, actor_of: Callable[..., Actor], toys: None) -> None:
    without = {key: amount for key, amount in RATES.items() if key[0] != "storage-gib-month"}
    assert "no storage-gib-month for toy" in refusal(actor_of(operator), without)


def test_the_admin_site_begins_a_book_with_the_prices_in_force(
    book: PriceBook, operator: User, support: User, owner: User, client_of: Callable[[User], Client]
) -> None:
    assert client_of(support).get(ADD).status_code == 403
    assert client_of(owner).get(ADD).status_code in (302, 403)
    client, when = client_of(operator), soon()
    page = client.get(ADD)
    assert "vcpu-hour,,,,0.02" in page.content.decode()
    lines = as_text(queries.book_at(timezone.now())).replace("vcpu-hour,,,,0.02", "vcpu-hour,,,,0.03")
    body = {"valid_from_0": when.date().isoformat(), "valid_from_1": f"{when:%H:%M:%S}", "note": "Spring"}
    refused = client.post(ADD, {**body, "lines": lines, "reason": ""})
    assert refused.status_code == 200
    assert PriceBook.objects.filter(valid_from=when).count() == 0
    saved = client.post(ADD, {**body, "lines": lines, "reason": "Dearer power."})
    assert saved.status_code == 302
    assert queries.book_at(when).amounts == {**RATES, VCPU: Decimal("0.03")}
    assert AuditEvent.objects.get(action="prices.publish").reason == "Dearer power."


@pytest.mark.parametrize(
    "lines, why",
    [
        ("vcpu-hour,,,,dear", "Not 5 fields with an amount"),
        ("vcpu-hour,0.02", "Not 5 fields with an amount"),
        ("vcpu-hour,,,,0.02\nvcpu-hour,,,,0.03", "This line is there twice"),
        ("vcpu-hour,,,atlantis,0.02", "there is no such region"),
    ],
)
def test_the_admin_form_says_which_line_is_wrong(
    lines: str, why: str, operator: User, client_of: Callable[[User], Client]
) -> None:
    when, before = soon(), PriceBook.objects.count()
    body = {"valid_from_0": when.date().isoformat(), "valid_from_1": f"{when:%H:%M:%S}", "reason": "Power."}
    answer = client_of(operator).post(ADD, {**body, "note": "", "lines": lines})
    assert why in answer.content.decode()
    assert PriceBook.objects.count() == before


def test_books_can_be_read_and_not_changed_there(
    book: PriceBook, operator: User, support: User, client_of: Callable[[User], Client]
) -> None:
    for reader in (operator, support):
        client = client_of(reader)
        assert client.get("/admin/billing/pricebook/").status_code == 200
        page = client.get(f"/admin/billing/pricebook/{book.id}/change/")
        assert page.status_code == 200
        assert "vcpu-hour" in page.content.decode()
        assert client.post(f"/admin/billing/pricebook/{book.id}/change/", {"note": "x"}).status_code == 403
        assert client.post(f"/admin/billing/pricebook/{book.id}/delete/", {"post": "yes"}).status_code == 403
