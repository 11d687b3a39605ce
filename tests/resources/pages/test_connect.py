"""The Connect page: masked until asked, shown once per click and written down, exchanged without downtime."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.accounts.reauthentication import FRESH
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.core.conditions import not_ready
from portal.core.errors import TemporaryError
from portal.resources import queries
from portal.resources.models import Child, Resource
from portal.resources.presenters.connections import MASK
from tests.fixtures import aged
from tests.resources.doubles import MemoryBackend
from tests.resources.pages.conftest import ENDPOINT

pytestmark = pytest.mark.django_db
NOT_READY = not_ready("Preparing", "The data directory is being made.").as_json()


def login(service: Resource, backend: MemoryBackend) -> tuple[str, str]:
    """Return the main login's ``cred_`` id and its password."""
    child = Child.objects.get(resource=service, name="admin")
    backend.secrets[service.handle] = {f"user-{child.id}": {"password": "canary-secret"}}
    return ids.encode("cred", child.id), "canary-secret"


def test_the_page_holds_no_secret_until_it_is_asked_for(
    browser: Client, htmx: Client, make: Callable[..., Resource], backend: MemoryBackend
) -> None:
    service = make()
    credential, secret = login(service, backend)
    path = f"/services/{service.public_id}/connect"
    page = browser.get(path)
    assert secret not in page.content.decode()
    assert page["Cache-Control"] == "no-store"
    for words in (f"toy://admin:{MASK}@", "20001", "/ca.pem"):
        assert words in page.content.decode()
    assert browser.get(f"{path}/{credential}/reveal").status_code == 405
    assert not AuditEvent.objects.filter(action="service.reveal").exists()

    whole = browser.post(f"{path}/{credential}/reveal")
    assert whole.status_code == 200
    assert f"toy://admin:{secret}@" in whole.content.decode()
    assert whole["Cache-Control"] == "no-store"
    part = htmx.post(f"{path}/{credential}/reveal?part=password").content.decode()
    assert secret in part
    assert "<html" not in part
    assert 'id="secret-password"' in part
    shown, masked = htmx.post(f"{path}/{credential}/reveal").content.decode().split("<template>")
    assert 'id="connection-details" data-hide-after="30"' in shown
    assert secret in shown
    assert MASK in masked  # what the page goes back to after 30 seconds
    assert secret not in masked
    assert AuditEvent.objects.filter(action="service.reveal").count() == 3
    assert secret not in browser.get(path).content.decode()


def test_a_viewer_sees_how_but_not_the_password(
    viewer: User, make: Callable[..., Resource], backend: MemoryBackend, client_of: Callable[[User], Client]
) -> None:
    service = make()
    credential, secret = login(service, backend)
    client = client_of(viewer)
    page = client.get(f"/services/{service.public_id}/connect").content.decode()
    assert "box.example" in page or "localhost" in page
    assert "Your role does not show passwords." in page
    answer = client.post(f"/services/{service.public_id}/connect/{credential}/reveal")
    assert answer.status_code == 403
    assert secret not in answer.content.decode()


def test_another_login_can_be_chosen(browser: Client, make: Callable[..., Resource], backend: MemoryBackend) -> None:
    service = make()
    login(service, backend)
    other = Child.objects.create(resource=service, kind="users", name="reader", spec={"access": "read"}, state="ready")
    path = f"/services/{service.public_id}/connect"
    assert "toy://admin:" in browser.get(path).content.decode()
    assert "toy://reader:" in browser.get(path, {"user": ids.encode("cred", other.id)}).content.decode()
    assert "toy://admin:" in browser.get(path, {"user": "nonsense"}).content.decode()


def test_an_exchange_shows_both_until_it_is_completed(
    browser: Client, make: Callable[..., Resource], backend: MemoryBackend
) -> None:
    service = make()
    credential, _secret = login(service, backend)
    path = f"/services/{service.public_id}/connect"
    assert "Both work until you complete" in browser.get(f"{path}/{credential}/rotate").content.decode()
    answer = browser.post(f"{path}/{credential}/rotate")
    assert answer.status_code == 302
    assert "The new login is being made" in browser.get(answer["Location"]).content.decode()
    early = browser.post(f"{path}/{credential}/complete")
    assert early.status_code == 422
    assert "no finished exchange" in early.content.decode()
    Child.objects.filter(name="admin-2").update(state="ready")
    assert "Two logins work now" in browser.get(path).content.decode()
    assert browser.post(f"{path}/{credential}/rotate").status_code == 422
    assert "admin stops working" in browser.get(f"{path}/{credential}/complete").content.decode()
    assert browser.post(f"{path}/{credential}/complete").status_code == 302
    assert Child.objects.get(name="admin").deletion_requested_at is not None
    assert Child.objects.get(name="admin-2").spec["main"] is True


@pytest.mark.parametrize("act", ["reveal", "rotate", "complete"])
def test_who_has_not_lately_proven_who_they_are_is_asked_first(
    browser: Client, htmx: Client, make: Callable[..., Resource], backend: MemoryBackend, act: str
) -> None:
    service = make()
    credential, secret = login(service, backend)
    page = f"/services/{service.public_id}/connect"
    aged(htmx, FRESH + 1)
    answer = htmx.post(f"{page}/{credential}/{act}", headers={"HX-Current-URL": f"http://testserver{page}"})
    assert answer["HX-Redirect"] == f"/account/confirm/sign-in?{urlencode({'next': page})}"
    assert secret not in answer.content.decode()
    assert Child.objects.filter(resource=service, kind="users", deletion_requested_at=None).count() == 1
    assert not AuditEvent.objects.filter(action__startswith="service.").exists()
    aged(browser, FRESH - 60)  # they came by link within the hour, and have nothing else to prove it with
    assert browser.post(f"{page}/{credential}/{act}").status_code in (200, 302, 422)
    assert "/account/confirm" not in browser.post(f"{page}/{credential}/{act}").get("Location", "")


def test_a_region_that_does_not_answer_is_said_so(
    browser: Client, make: Callable[..., Resource], backend: MemoryBackend
) -> None:
    service = make()
    credential, secret = login(service, backend)
    backend.error = TemporaryError("The region is away.")
    answer = browser.post(f"/services/{service.public_id}/connect/{credential}/reveal")
    assert answer.status_code == 503
    assert "The region is away." in answer.content.decode()
    assert secret not in answer.content.decode()


def test_the_certificate_comes_as_a_file(browser: Client, make: Callable[..., Resource]) -> None:
    answer = browser.get(f"/services/{make().public_id}/ca.pem")
    assert answer["Content-Disposition"] == 'attachment; filename="local-ca.pem"'
    assert answer.content.startswith(b"-----BEGIN CERTIFICATE-----")


def test_a_certificate_of_the_services_own_comes_before_the_regions(
    browser: Client, make: Callable[..., Resource], backend: MemoryBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, found = make(), queries.connections
    monkeypatch.setattr(
        queries, "connections", lambda row: tuple(replace(one, authority=("ca", "ca.crt")) for one in found(row))
    )
    backend.secrets[service.handle] = {}
    answer = browser.get(f"/services/{service.public_id}/ca.pem")
    assert answer.status_code == 503
    assert "The certificate is not ready yet" in answer.content.decode()
    backend.secrets[service.handle] = {"ca": {"ca.crt": "its own", "ca.key": "canary-secret"}}
    answer = browser.get(f"/services/{service.public_id}/ca.pem")
    assert (answer.status_code, answer.content) == (200, b"its own")
    assert answer["Content-Disposition"] == f'attachment; filename="{service.name}-ca.pem"'


def test_an_address_inside_a_cluster_is_said_to_be_one(browser: Client, make: Callable[..., Resource]) -> None:
    service = make()
    words = {"connect": "Reached from inside the cluster only", "": "from inside the cluster only"}
    for page, said in words.items():
        assert said not in browser.get(f"/services/{service.public_id}/{page}".rstrip("/")).content.decode()
    service.facts["endpoints"][0]["route"] = "internal"
    service.save(update_fields=["facts"])
    for page, said in words.items():
        assert said in browser.get(f"/services/{service.public_id}/{page}".rstrip("/")).content.decode()


ON_ITS_WAY = "The address is on its way"
ORDERED = {"ready_once_at": None, "observed_generation": 0, "conditions": [NOT_READY]}
ANSWERING = {"observed_generation": 0}  # but not all that was ordered is there
ORIGIN = {"handle": "other", "kind": "backups", "child_id": str(ids.uuid7()), "generation": 1}
FROM_BACKUP = {"origin": ORIGIN, **ANSWERING}


@pytest.mark.parametrize("fields", [ORDERED, ANSWERING, FROM_BACKUP])
def test_an_address_that_nobody_is_behind_yet_is_on_its_way_and_comes_by_itself(
    browser: Client, make: Callable[..., Resource], fields: dict[str, Any]
) -> None:
    service, path = make(**fields), "/services/{}/connect"
    page = browser.get(path.format(service.public_id)).content.decode()
    address = f":{ENDPOINT['port']}/"
    assert (ON_ITS_WAY in page, address in page, "Reveal" in page) == (True, False, False)
    assert "service-changed from:body" in page  # the head tells it to look again
    assert (NOT_READY["message"] in page) is (fields is ORDERED)
    told = browser.get(f"/api/v1/services/{service.public_id}/endpoints").json()
    assert [one["host"] for one in told["items"]] == [ENDPOINT["host"]]  # a fact all the same

    Resource.objects.filter(id=service.id).update(state="running", ready_once_at=timezone.now())
    page = browser.get(path.format(service.public_id)).content.decode()
    assert (ON_ITS_WAY in page, address in page, "Reveal" in page) == (False, True, True)
    assert "service-changed from:body" not in page  # what is revealed must not go by itself


def test_a_restore_over_the_service_itself_leaves_its_address(browser: Client, make: Callable[..., Resource]) -> None:
    service = make(generation=2, origin={**ORIGIN, "generation": 2, "in_place": True})
    page = browser.get(f"/services/{service.public_id}/connect").content.decode()
    assert (service.state, ON_ITS_WAY in page, f":{ENDPOINT['port']}/" in page) == ("restoring", False, True)


def test_no_address_at_all_is_said_so(browser: Client, make: Callable[..., Resource]) -> None:
    service = make(ready_once_at=None, conditions=[], facts={}, observed_generation=0)
    assert ON_ITS_WAY in browser.get(f"/services/{service.public_id}/connect").content.decode()
