"""Pages and API take as many queries for sixty services, each with a history, as for three."""

import datetime
from collections.abc import Callable, Iterable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit import actions as audit
from portal.core.actors import Actor
from portal.core.offerings import Offering
from portal.core.pricing import Price, pricer
from portal.projects.models import Project
from portal.resources.models import Child, Operation, Resource
from tests.resources.pages.conftest import FlatPricer

pytestmark = pytest.mark.django_db
PAGES = (
    "/",
    "/services",
    "/services?sort=name.asc",
    "/services?state=running",
    "/services?tag=env",
    "/services?q=box",
    "/services?offering=toy",
    "/services?all=1",
    "/services?bin=1",
    "/services/{service}",
    "/services/{service}/header",
    "/services/{service}/connect",
    "/services/{service}/users",
    "/services/{service}/backups",
    "/services/{service}/activity",
    "/services/{service}/settings",
    "/services/{service}/resize",
    "/operations/{operation}",
    "/search?q=box",
    "/catalog",
    "/catalog/toy",
    "/audit",
    "/projects/acme-prod",
)
API = (
    "/api/v1/services",
    "/api/v1/services?limit=200&sort=name.asc",
    "/api/v1/services?state=deleted",
    "/api/v1/services?tag=env:prod",
    "/api/v1/projects/acme-prod/services",
    "/api/v1/services/{service}",
    "/api/v1/services/{service}/users",
    "/api/v1/services/{service}/backups",
    "/api/v1/services/{service}/operations",
    "/api/v1/services/{service}/events",
    "/api/v1/services/{service}/credentials",
    "/api/v1/operations/{operation}",
    "/api/v1/audit",
)


class CatalogPricer(FlatPricer):
    """The flat price, for the catalog too."""

    def price_from(self, offering: Offering) -> Price | None:
        return self.price(offering, offering.plans[1], offering.spec.model_construct(), region="")


@pytest.fixture(autouse=True)
def catalog_prices(prices: None, settings: Settings) -> None:
    settings.PRICER = f"{__name__}.CatalogPricer"
    pricer.cache_clear()


@pytest.fixture(autouse=True)
def nothing_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have kept all along what is kept for some seconds: on a slow machine a page would find it gone and ask again."""
    day = datetime.timedelta(days=1)
    for seconds in ("notify.queries.KEPT_SECONDS", "console.told.KEPT_SECONDS", "accounts.sessions.NOTED_EVERY"):
        monkeypatch.setattr(f"portal.{seconds}", day.total_seconds())
    monkeypatch.setattr("portal.accounts.api.authentication.USED_EVERY", day)


def counts(client: Client | APIClient, paths: Iterable[str], ids: dict[str, str]) -> dict[str, int]:
    """Return how many queries each address takes; the first answer fills what a process keeps."""
    found = {}
    for path in paths:
        address = path.format(**ids)
        assert client.get(address).status_code == 200, address
        with CaptureQueriesContext(connection) as caught:
            client.get(address)
        found[path] = len(caught)
    return found


def test_more_services_and_more_history_take_no_more_queries(
    make: Callable[..., Resource],
    operation: Callable[..., Operation],
    backup: Callable[..., Child],
    owner: User,
    project: Project,
    client_of: Callable[[User], Client],
    api_of: Callable[[User], APIClient],
    actor_of: Callable[[User], Actor],
) -> None:
    def add(number: int) -> Operation:
        """Make a service that is on its way and one in the bin, and let something happen to the first one of all."""
        now = timezone.now()
        row = make(f"box-{number}", tags={"env": "prod"})
        gone = {"deletion_requested_at": now, "deleted_at": now, "purge_after": now + datetime.timedelta(days=9)}
        make(f"gone-{number}", deletion_policy="bin", **gone)
        first = Resource.objects.get(name="box-0")
        backup(first, f"backup-{number}")
        Child.objects.create(resource=first, kind="users", name=f"user-{number}", state="ready", spec={})
        who = actor_of(owner)
        operation(first, type="resize", state="succeeded", requested_by=owner.id, finished_at=now)
        audit.record(actor=who, action="service.resize", target_kind="service", target_id=first.id, **places)
        return operation(row, requested_by=owner.id)

    places = {"organization_id": project.organization_id, "project_id": project.id}
    opened = [add(number) for number in range(3)]
    ids = {"service": opened[0].resource.public_id, "operation": opened[0].public_id}
    console, api = client_of(owner), api_of(owner)
    few = counts(console, PAGES, ids) | counts(api, API, ids)
    for number in range(3, 63):
        add(number)
    many = counts(console, PAGES, ids) | counts(api, API, ids)
    assert {path: (few[path], many[path]) for path in few if few[path] != many[path]} == {}
