"""What is done to a whole service, by plain forms and by htmx; refusals stand where they belong and nothing is lost."""

import re
from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.reauthentication import FRESH
from portal.resources.models import Operation, Resource
from tests.fixtures import aged

pytestmark = pytest.mark.django_db


def newest(service: Resource) -> Operation | None:
    return Operation.objects.filter(resource=service).first()


@pytest.mark.parametrize("verb, words", [("restart", "Connections drop"), ("stop", "The price goes from")])
def test_a_verb_asks_first_and_says_what_will_happen(
    browser: Client, htmx: Client, make: Callable[..., Resource], verb: str, words: str
) -> None:
    service = make()
    path = f"/services/{service.public_id}/do/{verb}"
    page = browser.get(path).content.decode()
    assert "<html" in page
    assert words in page
    modal = htmx.get(path).content.decode()
    assert "<dialog" in modal
    assert "<html" not in modal
    assert newest(service) is None
    answer = browser.post(path)
    assert answer.status_code == 302
    assert answer["Location"] == f"/services/{service.public_id}"
    assert newest(service).type == verb  # type: ignore[union-attr]


def test_a_second_click_is_refused_in_the_form(browser: Client, htmx: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/do/restart"
    assert htmx.post(path)["HX-Redirect"] == f"/services/{service.public_id}"
    for client in (htmx, browser):
        answer = client.post(path)
        assert answer.status_code == 422
        assert "is busy: restart began" in answer.content.decode()
    assert Operation.objects.filter(resource=service).count() == 1


def test_a_verb_that_the_offering_lacks_is_not_there(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    for verb in ("explode", "resize", "restore"):
        assert browser.get(f"/services/{service.public_id}/do/{verb}").status_code == 404
    assert browser.get(f"/services/{service.public_id}/do/start").status_code == 200


def test_resize_shows_prices_before_and_after_and_does_it(
    browser: Client, htmx: Client, make: Callable[..., Resource]
) -> None:
    service = make()
    path = f"/services/{service.public_id}/resize"
    assert "Needs" not in browser.get(path).content.decode()
    effects = htmx.get(path, {"plan": "standard-4"}).content.decode()
    assert "The price goes from 737.30 EUR to 1,467.30 EUR a month" in effects
    assert "Connections drop for about 5 s" in effects
    assert "737.30" in browser.get(path, {"plan": "standard-4"}).content.decode()
    refused = browser.post(path, {"plan": "free"})
    assert refused.status_code == 422
    assert "disk" in refused.content.decode()
    assert browser.post(path, {"plan": "standard-4"}).status_code == 302
    assert Resource.objects.get(id=service.id).plan_slug == "standard-4"


def test_upgrade_offers_only_what_is_newer(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/do/upgrade"
    assert 'value="2.1"' in browser.get(path).content.decode()
    assert browser.post(path, {"version": "1.0"}).status_code == 422
    assert browser.post(path, {"version": "2.1"}).status_code == 302
    assert Resource.objects.get(id=service.id).release == "2.1"


def test_deleting_takes_the_name_and_says_what_goes(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/delete"
    page = browser.get(path).content.decode()
    for words in (
        "1 user is removed with it.",
        "brought back with its data for 14 days",
        "A final backup is made first",
    ):
        assert words in page
    wrong = browser.post(path, {"confirm": "bo", "deletion_policy": "wipe"})
    assert wrong.status_code == 422
    assert "This is not the name." in wrong.content.decode()
    assert re.search(r'value="wipe"[^>]* checked', wrong.content.decode())
    assert browser.post(path, {"confirm": "box", "deletion_policy": "bin"})["Location"] == "/services"
    assert Resource.objects.get(id=service.id).deletion_policy == "bin"


def test_wiping_asks_again_who_it_is_and_the_bin_does_not(browser: Client, make: Callable[..., Resource]) -> None:
    kept, wiped = make("kept"), make("wiped")
    sent = {"confirm": "wiped", "deletion_policy": "wipe"}
    aged(browser, FRESH + 1)
    asked = browser.post(f"/services/{wiped.public_id}/delete", sent)
    assert asked["Location"].startswith("/account/confirm/sign-in?next=")
    assert newest(wiped) is None
    binned = browser.post(f"/services/{kept.public_id}/delete", {"confirm": "kept", "deletion_policy": "bin"})
    assert binned["Location"] == "/services"
    aged(browser, 60)
    assert browser.post(f"/services/{wiped.public_id}/delete", sent)["Location"] == "/services"
    assert Resource.objects.get(id=wiped.id).deletion_policy == "wipe"


def test_a_protected_service_is_not_deleted(browser: Client, make: Callable[..., Resource]) -> None:
    service = make(protected=True)
    answer = browser.post(f"/services/{service.public_id}/delete", {"confirm": "box", "deletion_policy": "wipe"})
    assert answer.status_code == 422
    assert "protected against deletion" in answer.content.decode()


def test_an_order_under_way_can_be_cancelled_and_a_restart_can_not(
    browser: Client, make: Callable[..., Resource], operation: Callable[..., Operation]
) -> None:
    order = operation(make("new", ready_once_at=None, conditions=[], facts={}))
    restart = operation(make("old"), type="restart")
    assert "The order is taken back" in browser.get(f"/operations/{order.public_id}/cancel").content.decode()
    assert browser.post(f"/operations/{order.public_id}/cancel").status_code == 302
    assert Operation.objects.get(id=order.id).state == "cancelled"
    answer = browser.post(f"/operations/{restart.public_id}/cancel")
    assert answer.status_code == 422
    assert "cancelled half-way" in answer.content.decode()
