"""A service's settings: each part saved alone, errors beside fields, nothing typed lost."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.resources.models import Operation, Resource

pytestmark = pytest.mark.django_db


def test_name_and_description_are_saved_and_a_taken_name_is_refused(
    browser: Client, htmx: Client, make: Callable[..., Resource]
) -> None:
    service = make()
    make("taken")
    path = f"/services/{service.public_id}/settings/about"
    for client in (browser, htmx):
        answer = client.post(path, {"name": "taken", "description": "kept as typed"})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert 'id="id_name_error"' in page
        assert "kept as typed" in page
        assert ("<html" in page) == (client is browser)
    assert browser.post(path, {"name": "shop", "description": "orders"}).status_code == 302
    service.refresh_from_db()
    assert (service.name, service.description) == ("shop", "orders")
    assert not Operation.objects.filter(resource=service).exists()


def test_tags_are_edited_in_rows(browser: Client, make: Callable[..., Resource]) -> None:
    service = make(tags={"env": "dev"})
    path = f"/services/{service.public_id}/settings/tags"
    wrong = browser.post(path, {"tag_key": ["env", "bad key", ""], "tag_value": ["prod", "x", ""]})
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert "Use up to 63 letters" in page
    assert 'value="bad key"' in page
    assert 'value="prod"' in page
    assert browser.post(path, {"tag_key": ["env", "team", ""], "tag_value": ["prod", "shop", ""]}).status_code == 302
    service.refresh_from_db()
    assert service.tags == {"env": "prod", "team": "shop"}


def test_allowed_networks_are_edited_in_rows(
    browser: Client, make: Callable[..., Resource], monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(ip_allow_list=[{"cidr": "198.51.100.7/32", "description": "home"}])
    path = f"/services/{service.public_id}/settings/networks"
    assert 'value="198.51.100.7/32"' in browser.get(f"/services/{service.public_id}/settings").content.decode()
    rows = {"network_cidr": ["198.51.100.7", "203.0.113.9/24", ""], "network_description": ["home", "office", ""]}
    wrong = browser.post(path, rows)
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert "Write 203.0.113.0/24 for the network" in page
    assert 'value="203.0.113.9/24"' in page
    rows["network_cidr"][1] = "203.0.113.0/24"
    assert browser.post(path, rows).status_code == 302
    service.refresh_from_db()
    assert [entry["cidr"] for entry in service.ip_allow_list] == ["198.51.100.7/32", "203.0.113.0/24"]
    assert Operation.objects.get(resource=service).type == "update"
    monkeypatch.setattr("portal.resources.allowing.refusal", lambda *_of: "It has no network.")
    assert "It has no network." in browser.get(f"/services/{service.public_id}/settings").content.decode()


def test_the_maintenance_window_is_chosen_and_what_waits_for_it_is_told(
    browser: Client, make: Callable[..., Resource]
) -> None:
    service = make(release="2.0")
    path = f"/services/{service.public_id}/settings/maintenance"
    for page in (f"/services/{service.public_id}/settings", f"/services/{service.public_id}"):
        assert "2.0 is upgraded to 2.1" in browser.get(page).content.decode()
    assert browser.post(path, {"day": "someday", "start_utc": "23:30"}).status_code == 422
    assert browser.post(path, {"day": "friday", "start_utc": "23:30"}).status_code == 302
    service.refresh_from_db()
    assert service.maintenance == {"day": "friday", "start_utc": "23:30:00"}
    assert not Operation.objects.filter(resource=service).exists()
    assert "Planned for" not in browser.get(f"/services/{make('new', release='2.1').public_id}").content.decode()


def test_protection_is_switched(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/settings/protection"
    assert browser.post(path, {"protected": "on"}).status_code == 302
    assert "It is protected." in browser.get(f"/services/{service.public_id}/settings").content.decode()
    assert browser.post(path, {}).status_code == 302
    assert Resource.objects.get(id=service.id).protected is False


def test_settings_that_can_change_are_a_form_and_fixed_ones_are_shown(
    browser: Client, htmx: Client, make: Callable[..., Resource]
) -> None:
    service = make(spec={"disk_gib": 20, "greeting": "hello", "born_with": "a"})
    page = browser.get(f"/services/{service.public_id}/settings").content.decode()
    assert 'name="spec-disk_gib"' in page
    assert 'min="1"' in page
    assert 'max="100"' in page
    assert 'name="spec-born_with"' not in page
    assert "fixed when ordered" in page
    path = f"/services/{service.public_id}/settings/spec"
    smaller = htmx.post(path, {"spec-disk_gib": "10", "spec-greeting": "hi"})
    assert smaller.status_code == 422
    assert 'id="id_spec-disk_gib_error"' in smaller.content.decode()
    assert "This can only grow" in smaller.content.decode()
    assert 'value="hi"' in smaller.content.decode()
    large = htmx.post(path, {"spec-disk_gib": "1000", "spec-greeting": "x" * 50}).content.decode()
    assert 'id="id_spec-disk_gib_error"' in large
    assert browser.post(path, {"spec-disk_gib": "30", "spec-greeting": "hi"}).status_code == 302
    service.refresh_from_db()
    assert service.spec == {"disk_gib": 30, "greeting": "hi", "store": None, "born_with": "a"}
    assert Operation.objects.get(resource=service).type == "update"


def test_what_settings_would_do_is_said_before_they_are_saved(htmx: Client, make: Callable[..., Resource]) -> None:
    service = make()
    path = f"/services/{service.public_id}/settings/spec?preview=1"
    said = htmx.post(path, {"spec-disk_gib": "30", "spec-greeting": "hi"}).content.decode()
    assert "The price stays at 737.30 EUR a month" in said
    assert "Connections drop for about 5 s" in said
    assert htmx.post(path, {"spec-disk_gib": "1000", "spec-greeting": "hi"}).content.decode().strip() == ""
    assert Resource.objects.get(id=service.id).spec == service.spec


def test_an_unknown_part_is_not_there(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    assert browser.post(f"/services/{service.public_id}/settings/owner", {"project": "x"}).status_code == 404
    assert browser.get(f"/services/{service.public_id}/settings/about").status_code == 405
