"""Quotes are kept where somebody asked for one, not where a page shows a price, and are forgotten after their end."""

import datetime
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.resources import actions, tasks
from portal.resources.models import Quote, Resource

pytestmark = pytest.mark.django_db


def test_looking_at_a_price_keeps_nothing_and_asking_for_a_quote_keeps_one(
    running: Resource, actor: Actor, developer: User, client_of: Callable[[User], Client]
) -> None:
    browser, address = client_of(developer), f"/services/{running.public_id}"
    for path in ("resize?plan=standard-4", "do/stop"):
        for _ in range(3):
            page = browser.get(f"{address}/{path}")
            assert (page.status_code, "The price goes from" in page.content.decode()) == (200, True)
    assert Quote.objects.count() == 0
    actions.quote_change(actor, running, {"plan": "standard-4"})
    assert Quote.objects.count() == 1


def test_quotes_are_forgotten_a_day_after_their_end_and_not_before(running: Resource, actor: Actor) -> None:
    quotes = [actions.quote_change(actor, running, {"plan": "standard-4"}) for _ in range(2)]
    for quote, hours in zip(quotes, (23, 25), strict=True):
        Quote.objects.filter(id=quote.id).update(expires_at=timezone.now() - datetime.timedelta(hours=hours))
    tasks.forget_old_answers()
    assert list(Quote.objects.values_list("id", flat=True)) == [quotes[0].id]
