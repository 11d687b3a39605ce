"""The list of services: filters, order, pages, the bin, and no more queries for more rows."""

import datetime
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.accounts.models import User
from portal.projects.models import Project
from portal.resources.models import Resource

pytestmark = pytest.mark.django_db


def names(client: Client, query: str = "") -> list[str]:
    return [row.resource.name for row in client.get(f"/services{query}").context["rows"]]


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(path).status_code == 200
    return len(caught)


def test_it_takes_as_many_queries_for_many_rows_as_for_two(browser: Client, make: Callable[..., Resource]) -> None:
    make("first"), make("second")
    browser.get("/services")
    few = queries(browser, "/services")
    for number in range(48):
        make(f"box-{number}")
    assert queries(browser, "/services") == few
    assert len(names(browser)) == 50


def test_it_narrows_by_text_state_product_and_tag(browser: Client, make: Callable[..., Resource]) -> None:
    make("orders", tags={"env": "dev"})
    make("carts", tags={"env": "prod"}, running=False)
    assert names(browser, "?q=ORD") == ["orders"]
    assert names(browser, "?state=running") == ["orders"]
    assert names(browser, "?tag=env") == ["carts", "orders"]
    assert names(browser, "?tag=env%3Dprod") == ["carts"]
    assert names(browser, "?offering=toy") == ["carts", "orders"]
    assert names(browser, "?offering=none") == []
    assert names(browser, "?state=nonsense&sort=nonsense&cursor=nonsense") == ["carts", "orders"]
    assert "Nothing matches" in browser.get("/services?q=zzz").content.decode()


@pytest.mark.parametrize("sort", ["name.asc", "name.desc", "created.asc", "created.desc", "state.asc", "plan.desc"])
def test_its_pages_hold_every_row_once(browser: Client, make: Callable[..., Resource], sort: str) -> None:
    made = {f"box-{number:03}" for number in range(120)}
    for name in made:
        make(name)
    seen: list[str] = []
    cursor = ""
    for _page in range(3):
        page = browser.get("/services", {"sort": sort, "cursor": cursor}).context["page"]
        seen += [row.name for row in page.items]
        cursor = page.next_cursor
    assert cursor == ""
    assert len(seen) == 120
    assert set(seen) == made
    if sort.startswith("name"):
        assert seen == sorted(made, reverse=sort.endswith("desc"))


def test_other_projects_appear_only_when_asked_for_and_only_ones_own(
    make: Callable[..., Resource],
    owner: User,
    project: Project,
    other_project: Project,
    operator: User,
    client_of: Callable[[User], Client],
) -> None:
    second = Project.objects.create(organization=project.organization, slug="acme-dev", name="Acme dev")
    make("mine"), make("second", project=second), make("foreign", project=other_project)
    client = client_of(owner)
    assert len(names(client)) == 1
    assert names(client_of(operator), "?all=1") == []
    assert sorted(names(client, "?all=1")) == ["mine", "second"]


def test_the_bin_says_how_long_and_brings_back(browser: Client, make: Callable[..., Resource]) -> None:
    now = timezone.now()
    until = now + datetime.timedelta(days=13, hours=23)
    gone = make("old", deletion_requested_at=now, deleted_at=now, deletion_policy="bin", purge_after=until)
    make("alive")
    assert names(browser) == ["alive"]
    page = browser.get("/services?bin=1").content.decode()
    assert "14 days" in page
    answer = browser.post(f"/services/{gone.public_id}/undelete", {"name": "old"})
    assert answer.status_code == 302
    assert set(names(browser)) == {"alive", "old"}


def test_a_taken_name_is_asked_for_again(browser: Client, make: Callable[..., Resource]) -> None:
    now = timezone.now()
    until = now + datetime.timedelta(days=1)
    gone = make("shop", deletion_requested_at=now, deleted_at=now, deletion_policy="bin", purge_after=until)
    make("shop")
    answer = browser.post(f"/services/{gone.public_id}/undelete", {"name": "shop"})
    assert answer.status_code == 422
    assert "Choose another name." in answer.content.decode()
    assert browser.post(f"/services/{gone.public_id}/undelete", {"name": "shop-2"}).status_code == 302


def test_an_empty_project_shows_the_way_on(
    project: Project, developer: User, viewer: User, client_of: Callable[[User], Client]
) -> None:
    assert "Open the catalog" in client_of(developer).get("/services").content.decode()
    page = client_of(viewer).get("/services").content.decode()
    assert "Open the catalog" not in page
    assert "No services yet" in page
