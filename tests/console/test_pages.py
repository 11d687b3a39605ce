"""Home and search: what runs, what needs a look, and nothing of anybody else's."""

from collections.abc import Callable

import pytest
from django.test import Client

from portal.accounts.models import User
from portal.clusters.models import Cluster, Region
from portal.console import queries
from portal.core import counting, registry
from portal.projects.models import Project
from portal.resources.models import Resource
from tests.contracts import rows

pytestmark = pytest.mark.django_db
POSTGRESQL = registry.offerings()["postgresql"]


@pytest.fixture
def cluster(db: None) -> Cluster:
    region = Region.objects.create(slug="local", name="This machine")
    return Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})


def text(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, **headers)  # type: ignore[arg-type]
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_empty_project_is_shown_the_way_and_a_full_one_what_runs(
    cluster: Cluster, project: Project, developer: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(developer)
    assert "Nothing runs here yet." in text(client, "/")
    rows.make(POSTGRESQL, project, cluster, name="orders")
    full = text(client, "/")
    assert "orders" in full
    assert "Nothing runs here yet." not in full


def test_what_does_not_answer_is_pointed_out(
    cluster: Cluster, project: Project, developer: User, client_of: Callable[[User], Client]
) -> None:
    rows.make(POSTGRESQL, project, cluster, name="sick", conditions=[])
    assert "Some services need a look." in text(client_of(developer), "/")


def test_home_counts_and_adds_up_no_further_than_it_can_in_a_moment(
    cluster: Cluster,
    project: Project,
    developer: User,
    client_of: Callable[[User], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = client_of(developer)
    for number in range(3):
        rows.make(POSTGRESQL, project, cluster, name=f"box-{number}")
    assert "Not added up" not in text(client, "/")
    monkeypatch.setattr(queries, "ADDED_UP", 2)
    assert "Not added up for more than 2 services" in text(client, "/")
    monkeypatch.setattr(counting, "MOST", 2)
    monkeypatch.setattr(queries, "MOST", 2)
    assert "2+" in text(client, "/")


def test_home_takes_as_many_queries_for_many_services_as_for_two(
    cluster: Cluster,
    project: Project,
    developer: User,
    client_of: Callable[[User], Client],
    django_assert_max_num_queries: Callable[[int], object],
) -> None:
    client = client_of(developer)
    for number in range(30):
        rows.make(POSTGRESQL, project, cluster, name=f"box-{number}")
    with django_assert_max_num_queries(20):  # type: ignore[attr-defined]
        text(client, "/")


def test_search_finds_services_offerings_and_pages_of_ones_own(
    cluster: Cluster, project: Project, developer: User, stranger: User, client_of: Callable[[User], Client]
) -> None:
    service = rows.make(POSTGRESQL, project, cluster, name="orders-db")
    hit = f"/services/{service.public_id}"
    assert hit in text(client_of(developer), "/search?q=orders")
    assert hit in text(client_of(developer), "/search?q=orders", HTTP_HX_REQUEST="true")
    assert hit not in text(client_of(stranger), "/search?q=orders")
    assert "/catalog/postgresql" in text(client_of(developer), "/search?q=relational")
    assert Resource.objects.count() == 1


def test_somebody_not_signed_in_sees_the_catalog_and_no_search() -> None:
    assert Client().get("/")["Location"] == "/catalog"
    assert Client().get("/search?q=x").status_code == 302
