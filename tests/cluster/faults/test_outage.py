"""The API server is away while fifty orders are under way: turns back off, pages ask it nothing, all orders finish."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.clusters.models import Cluster
from portal.resources import engine
from portal.resources.models import Resource
from tests.cluster.faults.site import Memory, Site, check, now, turn
from tests.cluster.faults.wire import Wire

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
ORDERS = 50
LATEST = 120.0  # seconds until everything has to be done once it is back
TRIES = 3  # times that each service is looked at while it is away


def take_up_what_is_due() -> bool:
    """Do what the sweep and a worker do; return whether anything is still to be done."""
    for resource_id in list(Resource.objects.due(timezone.now()).values_list("id", flat=True)):
        engine.reconcile(resource_id, only_due=True)
    return Resource.objects.exclude(next_reconcile_at=None).exists()


def told(row: Resource) -> tuple[str, str]:
    synced = next(one for one in now(row).conditions if one["type"] == "Synced")
    return synced["status"], synced["reason"]


def test_fifty_orders_wait_out_an_api_server_that_is_away(
    site: Site, developer: User, client_of: Callable[[User], Client], wire: Wire, tell: Callable[[str], None],
    eventually: Callable[..., Any],
) -> None:  # fmt: skip
    rows = [site.order(f"box-{number}") for number in range(ORDERS)]
    browser = client_of(developer)
    _pages(site, rows[0], browser)  # templates are read once
    for row in rows[: ORDERS // 2]:
        engine.reconcile(row.id)  # half of them are half-way: applied, and not yet known to run
    site.control_plane.kill()
    asked = wire.to(site.control_plane.port)
    asked.clear()
    for number in range(TRIES):
        for row in rows:
            before = now(row).failures
            turn(row)
            assert told(row) == ("False", "Unreachable"), number
            assert now(row).failures == before + 1
    tries = len(asked)
    assert tries <= 2 * TRIES, "every turn asks a cluster that is known to be silent"
    assert Cluster.objects.get(id=site.cluster.id).silent_since
    asked.clear()
    seconds = _pages(site, rows[0], browser)
    assert asked == [], "a page has asked the cluster"
    tell(f"pages while it was away: slowest {max(seconds) * 1000:.0f} ms of {len(seconds)}")
    latest = max(now(row).next_reconcile_at for row in rows)  # type: ignore[type-var]
    assert latest > timezone.now(), "they back off"

    site.control_plane.start_again()
    began = time.monotonic()
    eventually(lambda: not take_up_what_is_due(), within=LATEST, every=0.1)
    took = time.monotonic() - began
    memory = Memory()
    for row in rows:
        assert now(row).state == "running", now(row).conditions
        check(site, row, memory, row.name)
    assert Cluster.objects.get(id=site.cluster.id).silent_since is None
    tell(
        f"{ORDERS} orders, {ORDERS * TRIES} turns while it was away: {tries} tries to reach it; all ran {took:.1f} s on"
    )


def _pages(site: Site, row: Resource, browser: Client) -> list[float]:
    """Look at pages of the console; each answers. Return how many seconds each took."""
    seconds = []
    service = f"/services/{now(row).public_id}"
    for path in ("/", "/catalog", "/services", "/regions", service, f"{service}/connect", f"{service}/activity"):
        began = time.monotonic()
        answer = browser.get(path, follow=True)
        seconds.append(time.monotonic() - began)
        assert answer.status_code == 200, path
    return seconds
