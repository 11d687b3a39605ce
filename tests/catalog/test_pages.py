"""The catalog and the order page: found by its many names, priced while filled in, errors beside the field."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.clusters.models import Cluster, Region
from portal.core.offerings import Pace
from portal.projects.models import Project
from portal.resources.models import Operation, Resource

pytestmark = pytest.mark.django_db
ORDER = {"name": "shop", "project": "acme-prod", "region": "local", "version": "17", "plan": "dev-2"}
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def cluster(db: None) -> Cluster:
    region = Region.objects.create(slug="local", name="This machine")
    return Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})


@pytest.fixture
def browser(cluster: Cluster, project: Project, developer: User, client_of: Callable[[User], Client]) -> Client:
    return client_of(developer)


def page(browser: Client, path: str, **query: str) -> str:
    answer = browser.get(path, query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("word", ["postgres", "SQL", "relational database", "Databases"])
def test_it_is_found_by_what_people_call_it_and_by_nobody_else(cluster: Cluster, word: str) -> None:
    anybody = Client()
    assert "PostgreSQL" in page(anybody, "/catalog", q=word)
    assert "Nothing fits this search." in page(anybody, "/catalog", q=f"{word} xyzzy")


def test_an_offering_that_no_region_can_run_says_why_and_cannot_be_ordered(browser: Client, cluster: Cluster) -> None:
    Cluster.objects.update(capabilities={"packages": {"postgresql-17.10": "no package for this machine"}})
    assert "No package for this machine" in page(browser, "/catalog")
    assert "Order now" not in page(browser, "/catalog/postgresql")


def test_a_version_that_this_host_cannot_get_is_not_offered_and_says_why(browser: Client, cluster: Cluster) -> None:
    assert '<option value="16">' in page(browser, "/catalog/postgresql")
    Cluster.objects.update(capabilities={"packages": {"postgresql-16.14": "npm is missing"}})
    text = page(browser, "/catalog/postgresql")
    assert '<option value="16">' not in text
    assert "16 can&#x27;t be had here: npm is missing." in text


def test_an_order_goes_to_its_service_and_a_wrong_one_comes_back_with_all_that_was_typed(browser: Client) -> None:
    wrong = browser.post("/catalog/postgresql", {**ORDER, "name": "Not Good", "spec-disk_gib": "0", "tags": "a=b"})
    text = wrong.content.decode()
    assert wrong.status_code == 422
    assert 'value="Not Good"' in text
    assert 'id="id_name_error"' in text
    assert 'id="id_spec-disk_gib_error"' in text
    assert 'value="a=b"' in text
    assert not Resource.objects.exists()
    right = browser.post("/catalog/postgresql", {**ORDER, "tags": "team=shop, env"})
    service = Resource.objects.get()
    assert right.status_code == 302
    assert right["Location"] == f"/services/{service.public_id}"
    assert (service.name, service.plan_slug, service.tags) == ("shop", "dev-2", {"team": "shop", "env": ""})


def test_how_long_it_takes_is_said_the_same_before_and_after_the_order(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("portal.core.offerings.Offering.pace", lambda _offering, _backend: Pace(120, 1800))
    assert "Usually ready in about 2 min." in page(browser, "/catalog/postgresql")
    there = browser.post("/catalog/postgresql", ORDER)["Location"]
    assert "usually about 2 min<" in page(browser, there)
    service = Resource.objects.get()
    Operation.objects.update(type="resize")
    Resource.objects.filter(id=service.id).update(state="updating")
    assert "usually" not in page(browser, there)  # how long a change takes is declared by nobody


def test_an_ended_version_needs_its_tick(browser: Client) -> None:
    refused = browser.post("/catalog/postgresql", {**ORDER, "version": "14"})
    assert refused.status_code == 422
    assert "out of support" in refused.content.decode()
    assert browser.post("/catalog/postgresql", {**ORDER, "version": "14", "acknowledge": "on"}).status_code == 302


def test_the_price_follows_what_is_filled_in(browser: Client) -> None:
    small = browser.post("/catalog/postgresql/quote", ORDER, **HTMX).content.decode()
    large = browser.post("/catalog/postgresql/quote", {**ORDER, "plan": "standard-4"}, **HTMX).content.decode()
    assert "18.99" in small
    assert "42.38" in large
    assert not Resource.objects.exists()


def test_the_plans_follow_the_region(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    target = {"HTTP_HX_TARGET": "plan_choices", **HTMX}
    here = browser.post("/catalog/postgresql/quote", ORDER, **target).content.decode()
    assert here.count("This plan needs a Kubernetes region") == 2
    assert "order_summary" not in here
    monkeypatch.setattr("portal.clusters.placement._reason", lambda *_of: "")
    assert (
        "needs a Kubernetes region" not in browser.post("/catalog/postgresql/quote", ORDER, **target).content.decode()
    )


def test_a_name_is_checked_while_it_is_typed(browser: Client) -> None:
    browser.post("/catalog/postgresql", ORDER)
    check = "/catalog/postgresql/name"
    assert "This name is free." in page(browser, check, name="other", project="acme-prod")
    assert "already in this project" in page(browser, check, name="shop", project="acme-prod")
    assert "lower-case letters" in page(browser, check, name="Shop", project="acme-prod")


def test_who_may_not_order_is_told_so(
    cluster: Cluster, project: Project, viewer: User, client_of: Callable[[User], Client]
) -> None:
    assert "You have no project to order in." in page(client_of(viewer), "/catalog/postgresql")
    assert client_of(viewer).post("/catalog/postgresql", ORDER).status_code == 422
    assert not Resource.objects.exists()
