"""Catalog, prices, quotes and regions over HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.clusters.models import Region
from portal.projects.models import Organization, Project, ProjectMembership
from portal.resources.models import Quote, Resource
from tests.api.shapes import fits
from tests.resources.doubles import MemoryBackend

pytestmark = pytest.mark.django_db


def pointers(response: Any) -> dict[str, str]:
    assert response.status_code == 422, response.json()
    return {error["pointer"]: error["code"] for error in response.json()["errors"]}


def test_anybody_reads_the_catalog(kernel: MemoryBackend) -> None:
    anybody = APIClient()
    listed = fits(anybody.get("/api/v1/catalog/offerings"), "OfferingJson", paged=True)["items"]
    offering = fits(anybody.get("/api/v1/catalog/offerings/toy"), "OfferingJson")
    assert offering in listed
    assert (offering["offering"], offering["family"], offering["name"]) == ("toy", "toys", "Toy")
    assert [(v["version"], v["state"]) for v in offering["versions"]] == [("2", "available"), ("1", "end_of_support")]
    assert [p["plan"] for p in offering["plans"] if p["default"]] == ["dev-2"]
    assert offering["regions"] == [{"region": "local", "name": "This machine", "available": True, "reason": ""}]
    assert set(offering["spec_schema"]["properties"]) == {"disk_gib", "greeting", "store", "born_with"}
    assert offering["spec_schema"]["additionalProperties"] is False
    assert offering["capabilities"]["pitr"] == {
        "supported": False, "note": "It has no log.", "source": "tests/resources/doubles.py", "elsewhere": {},
    }  # fmt: skip
    assert offering["price_from"]["hourly"] == "0.020000"
    users = next(kind for kind in offering["children"] if kind["kind"] == "users")
    assert set(users["spec_schema"]["properties"]) == {"access"}
    assert anybody.get("/api/v1/catalog/offerings", HTTP_AUTHORIZATION="Bearer arc_old").status_code == 200


def test_plans_and_prices_are_pages(kernel: MemoryBackend) -> None:
    anybody = APIClient()
    plans = fits(anybody.get("/api/v1/catalog/offerings/toy/plans"), "PlanJson", paged=True)
    assert [plan["price"]["hourly"] for plan in plans["items"]] == ["0.000000", "0.020000", "0.040000", "0.240000"]
    prices = fits(anybody.get("/api/v1/catalog/prices"), "PriceBookLineJson", paged=True)
    assert prices["total_count"] == 1
    assert anybody.get("/api/v1/catalog/offerings/nope").json()["code"] == "not_found"
    assert anybody.get("/api/v1/catalog/offerings/nope/plans").status_code == 404
    counts = [anybody.get(f"/api/v1/catalog/offerings?family={f}").json()["total_count"] for f in ("toys", "nope", "")]
    assert counts == [3, 0, 0]  # the toy, the fleet and the workshop
    assert pointers(anybody.get("/api/v1/catalog/prices?x=1")) == {"?x": "unknown_parameter"}


def test_a_quote_for_an_order_says_price_quota_and_until_when(api: APIClient, project: Project) -> None:
    body = {"offering": "toy", "plan": "standard-4", "project": "acme-prod"}
    quote = fits(api.post("/api/v1/quotes", body), "QuoteJson")
    assert (quote["before"], quote["after"]["hourly"], quote["delta"]["hourly"]) == (None, "0.040000", "0.040000")
    assert quote["quota"]["services"]["adds"] == 1
    assert quote["id"].startswith("quo_")
    assert not Resource.objects.exists()


def test_a_quote_for_a_change_says_before_and_after(api: APIClient, running: Resource) -> None:
    body = {"service": running.public_id, "change": {"plan": "standard-4"}}
    quote = fits(api.post("/api/v1/quotes", body), "QuoteJson")
    assert (quote["before"]["hourly"], quote["after"]["hourly"]) == ("0.020000", "0.040000")
    assert quote["service"] == running.public_id
    assert api.get(f"/api/v1/services/{running.public_id}").json()["plan"] == "dev-2"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, {"/offering": "required"}),
        ({"offering": "nope"}, {"/offering": "unknown_offering"}),
        ({"offering": "toy", "plan": "nope"}, {"/plan": "unknown_plan"}),
        ({"offering": "toy", "project": "nope"}, {"/project": "not_found"}),
        ({"offering": "toy", "nope": 1}, {"/nope": "unknown_field"}),
        ({"service": "svc_nope", "change": {"plan": "dev-2"}}, {"/service": "not_found"}),
        ({"service": "svc_nope"}, {"/change": "required"}),
        ({"change": {}}, {"/service": "required"}),
        ({"service": "svc_nope", "change": {}, "plan": "dev-2"}, {"/plan": "unknown_field"}),
    ],
)
def test_a_wrong_quote_names_its_field(api: APIClient, project: Project, body: Any, expected: Any) -> None:
    assert pointers(api.post("/api/v1/quotes", body)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, {"/change/": "unknown_field"}),
        ({"version": "2"}, {"/change/version": "unknown_field"}),
        ({"plan": "nope"}, {"/change/plan": "unknown_plan"}),
        ({"spec": {"disk_gib": 0}}, {"/change/spec/disk_gib": "greater_than_equal"}),
        ({"spec": 1}, {"/change/spec": "invalid"}),
    ],
)
def test_a_wrong_change_names_its_field(api: APIClient, running: Resource, change: Any, expected: Any) -> None:
    assert pointers(api.post("/api/v1/quotes", {"service": running.public_id, "change": change})) == expected


def test_who_is_in_several_projects_says_for_which(
    api: APIClient, project: Project, organization: Organization, developer: User, viewer: User,
    api_of: Callable[..., APIClient],
) -> None:  # fmt: skip
    assert api.post("/api/v1/quotes", {"offering": "toy"}).status_code == 200
    second = Project.objects.create(organization=organization, slug="acme-dev", name="Dev")
    ProjectMembership.objects.create(user=developer, project=second, role="developer")
    assert pointers(api.post("/api/v1/quotes", {"offering": "toy"})) == {"/project": "required"}
    refused = api_of(viewer).post("/api/v1/quotes", {"offering": "toy", "project": "acme-prod"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert Quote.objects.count() == 1


def test_a_quote_never_tells_of_a_foreign_service(api: APIClient, foreign: Resource) -> None:
    body = {"service": foreign.public_id, "change": {"plan": "standard-4"}}
    assert pointers(api.post("/api/v1/quotes", body)) == {"/service": "not_found"}


def test_regions_are_listed_and_give_their_certificate(api: APIClient, project: Project) -> None:
    Region.objects.bulk_create(Region(slug=f"r{n:03}", name="R") for n in range(120))
    api.get("/api/v1/regions")
    with CaptureQueriesContext(connection) as few:
        api.get("/api/v1/regions?limit=2")
    with CaptureQueriesContext(connection) as many:
        page = fits(api.get("/api/v1/regions?limit=200"), "RegionJson", paged=True)
    assert (len(few), page["total_count"]) == (len(many), 121)
    local = page["items"][0]
    assert (local["slug"], local["backends"]) == ("local", ["local"])
    for name in ("local", local["id"]):
        assert fits(api.get(f"/api/v1/regions/{name}"), "RegionJson") == local
        pem = api.get(f"/api/v1/regions/{name}/ca")
        assert pem["Content-Type"] == "application/x-pem-file"
        assert pem.content.startswith(b"-----BEGIN CERTIFICATE-----")
    assert api.get("/api/v1/regions/nope/ca").json()["code"] == "not_found"
    assert api.get("/api/v1/regions/r001/ca").json()["code"] == "not_found"
    assert APIClient().get("/api/v1/regions").status_code == 401
