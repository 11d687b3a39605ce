"""Ordering, listing, reading, editing and deleting services over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.projects.models import Project
from portal.resources.models import Operation, Resource
from tests.api.shapes import fits
from tests.fixtures import limit
from tests.resources.conftest import turn

pytestmark = pytest.mark.django_db
ORDERS = "/api/v1/projects/acme-prod/services"


def pointers(response: Any) -> dict[str, str]:
    assert response.status_code == 422, response.json()
    assert response["Content-Type"] == "application/problem+json"
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def test_an_order_answers_with_the_operation_that_names_the_service(api: APIClient, project: Project) -> None:
    response = api.post(ORDERS, {"name": "orders-db", "offering": "toy"})
    operation = fits(response, "OperationJson")
    assert response.status_code == 202
    assert response["Location"] == f"/api/v1/operations/{operation['id']}"
    assert response["Retry-After"] == "1"
    assert (operation["type"], operation["state"], operation["cancellable"]) == ("create", "queued", True)
    service = fits(api.get(f"/api/v1/services/{operation['service']}"), "ServiceJson")
    assert (service["name"], service["plan"], service["version"], service["region"]) == (
        "orders-db",
        "dev-2",
        "2",
        "local",
    )
    assert (service["state"], service["protected"], service["project"]) == ("provisioning", False, project.public_id)
    assert service["current_operation"] == {"id": operation["id"], "type": "create", "state": "queued"}
    assert api.get(f"/api/v1/projects/{project.public_id}/services").json()["total_count"] == 1


def test_every_field_of_an_order_arrives(api: APIClient) -> None:
    body = {
        "name": "box", "offering": "toy", "version": "1", "plan": "standard-4", "region": "local",
        "description": "mine", "spec": {"greeting": "hi", "disk_gib": 30}, "tags": {"env": "dev"},
        "acknowledge": ["end_of_support"], "protected": True,
    }  # fmt: skip
    quote = api.post("/api/v1/quotes", {key: body[key] for key in body if key != "name"} | {"project": "acme-prod"})
    response = api.post(ORDERS, {**body, "quote": quote.json()["id"]})
    assert response.status_code == 202, response.json()
    service = api.get(f"/api/v1/services/{response.json()['service']}").json()
    assert service["spec"] == {"greeting": "hi", "disk_gib": 30, "store": None, "born_with": "a"}
    assert (service["release"], service["disk_gib"], service["description"]) == ("1.0", 30, "mine")
    assert (service["tags"], service["protected"], service["plan"]) == ({"env": "dev"}, True, "standard-4")
    assert response.json()["quote"]["id"] == quote.json()["id"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "Upper"}, {"/name": "invalid_name"}),
        ({"nope": 1}, {"/nope": "unknown_field"}),
        ({"spec": {"nope": 1}}, {"/spec/nope": "unknown_field"}),
        ({"spec": {"disk_gib": 0}}, {"/spec/disk_gib": "greater_than_equal"}),
        ({"plan": "huge", "version": "99"}, {"/plan": "unknown_plan", "/version": "unknown_version"}),
        ({"version": "1"}, {"/acknowledge": "end_of_support"}),
        ({"offering": "nope"}, {"/offering": "unknown_offering"}),
        ({"region": "mars"}, {"/region": "unknown_region"}),
        ({"tags": {"a": 1}}, {"/tags/a": "invalid"}),
        ({"tags": {"-": "x"}}, {"/tags/-": "invalid_tag"}),
        ({"quote": "quo_nope"}, {"/quote": "quote_mismatch"}),
        ({"name": None}, {"/name": "null"}),
        ({"protected": "yes"}, {"/protected": "invalid"}),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_ordered(
    api: APIClient, project: Project, change: Any, expected: Any
) -> None:
    assert pointers(api.post(ORDERS, {"name": "box", "offering": "toy", **change})) == expected
    assert not Resource.objects.exists()


def test_a_plan_that_the_region_can_not_honour_is_out_of_stock(api: APIClient, project: Project) -> None:
    response = api.post(ORDERS, {"name": "box", "offering": "toy", "plan": "ha-8"})
    assert (response.status_code, response.json()["code"]) == (503, "out_of_stock")
    assert response["Retry-After"]


def test_a_taken_name_and_a_full_project_are_refused(api: APIClient, project: Project) -> None:
    assert api.post(ORDERS, {"name": "box", "offering": "toy"}).status_code == 202
    taken = api.post(ORDERS, {"name": "box", "offering": "toy"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    limit(project, 1)
    full = api.post(ORDERS, {"name": "box-2", "offering": "toy"})
    assert (full.status_code, full.json()["code"], full.json()["quota"]) == (403, "quota_exceeded", 1)


def test_who_may_read_but_not_order_is_told_so_before_the_body_is_read(
    kernel: Any, viewer: User, developer: User, api_of: Callable[..., APIClient]
) -> None:
    for client in (api_of(viewer), api_of(developer, "read")):
        response = client.generic("POST", ORDERS, b"{broken", content_type="application/json")
        assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
        assert client.get(ORDERS).status_code == 200


def test_a_stranger_finds_no_project_and_nobody_gets_in_without_a_token(
    kernel: Any, project: Project, stranger: User, api_of: Callable[..., APIClient]
) -> None:
    body = {"name": "box", "offering": "toy"}
    assert api_of(stranger).post(ORDERS, body).json()["code"] == "not_found"
    response = APIClient().post(ORDERS, body)
    assert (response.status_code, response.json()["code"]) == (401, "authentication_required")
    assert response["WWW-Authenticate"].startswith("Bearer")
    wrong = APIClient().get(ORDERS, HTTP_AUTHORIZATION="Bearer arc_nope")
    assert (wrong.status_code, wrong.json()["code"]) == (401, "invalid_token")


@pytest.fixture
def many(order: Callable[..., Operation], project: Project) -> list[str]:
    """120 services with tags, every third one protected by nothing but its name."""
    limit(Project.objects.get(), 500)
    names = [f"box-{n:03}" for n in range(120)]
    for n, name in enumerate(names):
        order(name, tags={"env": "dev" if n % 2 else "prod", f"third-{n % 3}": ""})
    return names


def test_pages_over_120_services_hold_each_once_at_the_same_number_of_queries(api: APIClient, many: list[str]) -> None:
    api.get(ORDERS)  # the token's first use is noted once
    found, url, counts = [], f"{ORDERS}?limit=50&sort=name", set()
    while url:
        with CaptureQueriesContext(connection) as queries:
            response = api.get(url)
        counts.add(len(queries))
        found += [service["name"] for service in response.json()["items"]]
        assert response.json()["total_count"] == 120
        url = response.get("Link", "").partition(">")[0].removeprefix("<").removeprefix("http://testserver")
    assert found == many
    with CaptureQueriesContext(connection) as queries:
        api.get(f"{ORDERS}?limit=2")
    assert counts == {len(queries)}


FILTERED = [
    ("", 120),
    ("?tag=env:dev", 60),
    ("?tag=env:dev&tag=third-0", 20),
    ("?tag=env", 120),
    ("?tag=nope", 0),
    ("?tag=env:", 0),
    ("?name=box-007", 1),
    ("?q=BOX-00", 10),
    ("?state=provisioning", 120),
    ("?state=running,failed", 0),
    ("?state=running&state=provisioning", 120),
    ("?health=unknown", 120),
    ("?offering=toy", 120),
    ("?offering=postgresql", 0),
    ("?region=local", 120),
    ("?created_after=2020-01-01T00:00:00Z", 120),
    ("?created_after=2120-01-01T00:00:00%2B02:00", 0),
    ("?state=deleted", 0),
]


def test_filters_keep_what_they_say(api: APIClient, many: list[str]) -> None:
    for query, count in FILTERED:
        assert (query, api.get(ORDERS + query).json()["total_count"]) == (query, count)
        assert (query, api.get(f"/api/v1/services{query}").json()["total_count"]) == (query, count)


@pytest.mark.parametrize(
    "query", ["state=nope", "health=bad", "tag=%20", "tag=a:b%20c", "created_after=yesterday", "sort=spec", "nope=1"]
)
def test_a_filter_that_can_not_be_is_named(api: APIClient, project: Project, query: str) -> None:
    assert list(pointers(api.get(f"{ORDERS}?{query}"))) == [f"?{query.partition('=')[0]}"]


def test_an_edit_of_words_answers_with_the_service_and_a_new_etag(api: APIClient, running: Resource) -> None:
    url = f"/api/v1/services/{running.public_id}"
    before = api.get(url)
    assert before["ETag"] == before.json()["etag"]
    body = {"name": "renamed", "description": "new", "tags": {"env": "dev"}, "protected": True}
    response = api.patch(url, body, HTTP_IF_MATCH=before["ETag"])
    after = fits(response, "ServiceJson")
    assert response.status_code == 200
    assert {key: after[key] for key in body} == body
    assert response["ETag"] == after["etag"] != before["ETag"]
    assert api.patch(url, {}).json()["etag"] == after["etag"]


def test_an_edit_on_what_has_changed_meanwhile_is_refused(api: APIClient, running: Resource) -> None:
    url = f"/api/v1/services/{running.public_id}"
    etag = api.get(url)["ETag"]
    assert api.patch(url, {"description": "one"}, HTTP_IF_MATCH=etag).status_code == 200
    late = api.patch(url, {"description": "two"}, HTTP_IF_MATCH=etag)
    assert (late.status_code, late.json()["code"], late.json()["precondition"]) == (
        412,
        "precondition_failed",
        "If-Match",
    )
    assert api.patch(url, {"description": "two"}).status_code == 200
    now = api.get(url)["ETag"]
    assert api.patch(url, {"description": "three"}, HTTP_IF_MATCH=f'"0", {now}').status_code == 200
    assert api.patch(url, {"description": "four"}, HTTP_IF_MATCH="*").status_code == 200


def test_the_etag_does_not_move_with_what_is_observed(api: APIClient, order: Callable[..., Operation]) -> None:
    resource = order().resource
    url = f"/api/v1/services/{resource.public_id}"
    before = api.get(url)
    turn(resource)
    after = api.get(url)
    assert (before.json()["state"], after.json()["state"]) == ("provisioning", "running")
    assert before["ETag"] == after["ETag"]


def test_an_edit_of_settings_is_an_operation(api: APIClient, running: Resource) -> None:
    url = f"/api/v1/services/{running.public_id}"
    response = api.patch(url, {"spec": {"greeting": "moin"}})
    assert (response.status_code, response.json()["type"]) == (202, "update")
    assert api.get(url).json()["spec"]["greeting"] == "moin"
    assert pointers(api.patch(url, {"spec": {"born_with": "b"}})) == {"/spec/born_with": "immutable"}
    assert pointers(api.patch(url, {"plan": "dev-2"})) == {"/plan": "unknown_field"}


def test_networks_and_maintenance_are_read_and_changed(api: APIClient, running: Resource) -> None:
    url = f"/api/v1/services/{running.public_id}"
    response = api.patch(url, {"ip_allow_list": [{"cidr": "203.0.113.0/24", "description": "office"}]})
    assert (response.status_code, fits(response, "OperationJson")["type"]) == (202, "update")
    turn(running)
    response = api.patch(url, {"maintenance": {"day": "sunday", "start_utc": "02:00:00"}})
    service = fits(response, "ServiceJson")
    assert response.status_code == 200
    assert service["ip_allow_list"] == [{"cidr": "203.0.113.0/24", "description": "office"}]
    assert service["maintenance"] == {"day": "sunday", "start_utc": "02:00:00", "pending_updates": []}
    Resource.objects.filter(id=running.id).update(release="2.0")
    (pending,) = fits(api.get(url), "ServiceJson")["maintenance"]["pending_updates"]
    assert pending["description"].startswith("Toy 2.0 is upgraded to 2.1")
    assert pending["start_at"].endswith("T02:00:00.000000Z")
    assert pending["deadline"] is None
    wrong = {"ip_allow_list": [{"cidr": "203.0.113.0/24"}, {"cidr": "203.0.113.9/24"}], "maintenance": {"day": "x"}}
    assert pointers(api.patch(url, wrong)) == {
        "/ip_allow_list/1/cidr": "invalid_network",
        "/maintenance/day": "invalid_choice",
    }
    for body, pointer in (
        ({"ip_allow_list": [{"net": "x"}]}, "/ip_allow_list/0/net"),
        ({"ip_allow_list": ["203.0.113.0/24"]}, "/ip_allow_list/0"),
        ({"ip_allow_list": {}}, "/ip_allow_list"),
        ({"ip_allow_list": None}, "/ip_allow_list"),
        ({"maintenance": {"start_utc": 2}}, "/maintenance/start_utc"),
        ({"maintenance": []}, "/maintenance"),
    ):
        assert pointer in pointers(api.patch(url, body))


def test_an_order_may_name_its_networks(api: APIClient, project: Project) -> None:
    body = {"name": "a", "offering": "toy", "ip_allow_list": [{"cidr": "2001:db8::/32"}]}
    service = api.post(ORDERS, body).json()["service"]
    found = api.get(f"/api/v1/services/{service}").json()["ip_allow_list"]
    assert found == [{"cidr": "2001:db8::/32", "description": ""}]
    wrong = {**body, "name": "b", "ip_allow_list": [{"cidr": "2001:db8::1/32"}]}
    assert pointers(api.post(ORDERS, wrong)) == {"/ip_allow_list/0/cidr": "invalid_network"}
    assert pointers(api.post("/api/v1/quotes", wrong)) == {"/ip_allow_list/0/cidr": "invalid_network"}


def test_a_protected_service_stays_until_it_is_not(api: APIClient, running: Resource) -> None:
    url = f"/api/v1/services/{running.public_id}"
    api.patch(url, {"protected": True})
    refused = api.delete(url)
    assert (refused.status_code, refused.json()["code"]) == (409, "resource_protected")
    assert running.name in refused.json()["detail"]
    api.patch(url, {"protected": False})
    assert pointers(api.delete(f"{url}?deletion_policy=burn")) == {"?deletion_policy": "invalid_choice"}
    assert pointers(api.delete(f"{url}?deletion_policy=")) == {"?deletion_policy": "invalid_choice"}
    response = api.delete(f"{url}?deletion_policy=wipe")
    assert (response.status_code, response.json()["type"]) == (202, "delete")
    assert api.delete(url).json()["code"] == "transient_state"


def test_the_bin_is_shown_where_it_is_asked_for(api: APIClient, running: Resource) -> None:
    url = f"/api/v1/services/{running.public_id}"
    assert api.delete(url).json()["type"] == "delete"
    turn(running, 6)
    assert api.get(ORDERS).json()["total_count"] == 0
    binned = fits(api.get(f"{ORDERS}?state=deleted"), "ServiceJson", paged=True)["items"]
    assert [(service["state"], service["deletion_policy"]) for service in binned] == [("deleted", "bin")]
    assert binned[0]["purge_after"]
    response = api.post(f"{url}/undelete", {"name": "again"})
    assert (response.status_code, response.json()["type"]) == (202, "undelete")
    assert api.get(url).json()["name"] == "again"


@pytest.mark.parametrize("method", ["get", "patch", "delete"])
def test_a_foreign_service_answers_as_one_that_does_not_exist(api: APIClient, foreign: Resource, method: str) -> None:
    def answer(key: str) -> Any:
        response = getattr(api, method)(f"/api/v1/services/{key}", HTTP_X_REQUEST_ID="same-request")
        return response.status_code, {k: v for k, v in response.json().items() if k != "instance"}

    unknown = "svc_01JB7Q8W5T9X3M4K2N6P7R8S9V"
    assert answer(foreign.public_id) == answer(unknown)
    assert answer(foreign.public_id)[0] == 404
    for form in (str(foreign.id), foreign.handle, foreign.name, foreign.public_id.lower(), foreign.public_id[4:]):
        assert answer(form)[0] == 404


def test_an_operator_reads_but_does_not_act(
    running: Resource, operator: User, api_of: Callable[..., APIClient]
) -> None:
    client, url = api_of(operator), f"/api/v1/services/{running.public_id}"
    assert client.get(url).status_code == 200
    assert client.delete(url).json()["code"] == "permission_denied"


def test_the_wrong_method_and_the_wrong_type_are_problems(api: APIClient, project: Project) -> None:
    put = api.put(ORDERS, {})
    assert (put.status_code, put.json()["code"]) == (405, "method_not_allowed")
    assert set(put["Allow"].split(", ")) == {"GET", "POST", "OPTIONS"}
    form = api.generic("POST", ORDERS, b"name=box", content_type="application/x-www-form-urlencoded")
    assert (form.status_code, form.json()["code"]) == (415, "unsupported_media_type")
    broken = api.generic("POST", ORDERS, b"{", content_type="application/json")
    assert (broken.status_code, broken.json()["code"]) == (400, "malformed_request")
    assert broken.json()["trace_id"] == broken["X-Request-Id"]
