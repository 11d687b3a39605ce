"""The public price page."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.billing.models import PriceBook
from portal.core import registry
from tests.billing.conftest import RATES, write

pytestmark = pytest.mark.django_db


def test_everybody_may_read_what_each_plan_costs_by_the_hour_and_for_730_hours(book: PriceBook, toys: None) -> None:
    page = Client().get("/pricing")
    text = page.content.decode()
    assert page.status_code == 200
    # standard-4: 2 vCPU, 4 GiB and 20 GiB of disk make 0.06 + 0.02 EUR an hour
    for expected in (
        "excluding VAT",
        "by the second",
        "730 hours",
        "rounded once",
        "0.0800 EUR/h",
        "58.40 EUR",
        "Free",
    ):
        assert expected in text
    assert f"{book.valid_from:%Y}" in text
    assert Client().post("/pricing").status_code == 405


def test_a_rate_is_shown_in_full(toys: None) -> None:
    write(timezone.now(), {**RATES, ("storage-gib-month", "", "", ""): Decimal("0.0725")})
    assert "0.0725 EUR/month" in Client().get("/pricing").content.decode()


def test_all_that_is_really_sold_is_there_in_one_query(book: PriceBook, django_assert_num_queries: Any) -> None:
    Client().get("/announcements")  # what the frame announces is asked once for many pages
    with django_assert_num_queries(1):
        text = Client().get("/pricing").content.decode()
    for offering in registry.offerings().values():
        assert offering.name in text


def test_the_page_says_so_where_nothing_is_sold(book: PriceBook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "offerings", dict)
    assert "Nothing is sold here yet" in Client().get("/pricing").content.decode()
