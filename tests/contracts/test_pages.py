"""Every page and every endpoint of every offering: there for its project, and nowhere for a stranger."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.clusters.models import Cluster, Region
from portal.core import registry
from portal.core.offerings import Offering
from portal.projects.models import Project
from portal.resources.models import Resource
from tests.contracts import rows

pytestmark = pytest.mark.django_db


@pytest.fixture(params=sorted(registry.offerings()))
def offering(request: pytest.FixtureRequest) -> Offering:
    return registry.offerings()[request.param]


@pytest.fixture
def cluster(db: None) -> Cluster:
    region = Region.objects.create(slug="local", name="This machine")
    return Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})


@pytest.fixture
def service(offering: Offering, project: Project, cluster: Cluster) -> Resource:
    return rows.make(offering, project, cluster)


def pages(service: Resource) -> list[str]:
    base = f"/services/{service.public_id}"
    kinds = [kind.slug for kind in service.offering.children]
    connect = ["/connect"] if service.offering.credentials_kind else []
    tabs = ["", *connect, "/activity", "/settings", "/delete", *(f"/{kind}" for kind in kinds)]
    return [f"{base}{tab}" for tab in tabs]


def endpoints(service: Resource) -> list[str]:
    base = f"/api/v1/services/{service.public_id}"
    kinds = [kind.slug for kind in service.offering.children]
    parts = ["", "/endpoints", "/events", "/operations", *(f"/{kind}" for kind in kinds)]
    return [f"{base}{part}" for part in parts]


def test_the_catalog_and_the_order_page_show_it(
    offering: Offering, cluster: Cluster, developer: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(developer)
    assert offering.name in client.get("/catalog").content.decode()
    for word in offering.keywords:
        assert offering.name in client.get("/catalog", {"q": word}).content.decode()
    assert client.get(f"/catalog/{offering.slug}").status_code == 200


def test_every_page_opens_for_its_people_and_is_not_there_for_a_stranger(
    service: Resource, developer: User, viewer: User, stranger: User, client_of: Callable[[User], Client]
) -> None:
    for path in pages(service):
        assert client_of(developer).get(path).status_code == 200, path
        assert client_of(viewer).get(path).status_code in (200, 403), path
        assert client_of(stranger).get(path).status_code == 404, path
        assert Client().get(path).status_code == 302, path


def test_every_endpoint_answers_its_people_and_is_not_there_for_a_stranger(
    service: Resource, developer: User, viewer: User, stranger: User, api_of: Callable[..., APIClient]
) -> None:
    for path in endpoints(service):
        assert api_of(developer).get(path).status_code == 200, path
        assert api_of(viewer, "read").get(path).status_code == 200, path
        assert api_of(stranger).get(path).status_code == 404, path
        assert APIClient().get(path).status_code == 401, path


def test_each_state_has_a_page(
    offering: Offering, project: Project, cluster: Cluster, developer: User, client_of: Callable[[User], Client]
) -> None:
    states: list[dict[str, object]] = [
        {"ready_once_at": None, "observed_generation": 0, "conditions": [], "facts": {}},
        {"running": False, "conditions": [{"type": "Stopped", "status": "True", "reason": "Stopped"}]},
        {"deletion_requested_at": timezone.now(), "deletion_policy": "bin"},
        {"deletion_requested_at": timezone.now(), "deleted_at": timezone.now(), "deletion_policy": "bin"},
    ]
    for number, fields in enumerate(states):
        service = rows.make(offering, project, cluster, name=f"box-{number}", **fields)
        assert client_of(developer).get(f"/services/{service.public_id}").status_code == 200, service.state
