"""Behind a proxy that refuses, loses answers and cuts watches by seed, services come out as they do without it."""

import datetime
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from portal.clusters.backends.kubernetes import breaker, clients, following, seen
from portal.clusters.models import Cluster, Region
from portal.core import vault
from portal.core.drivers.kubernetes import CONFIG_MAP
from portal.resources import engine
from portal.resources.models import Resource
from tests.cluster.faults.proxy import Faults, in_front_of
from tests.cluster.faults.site import KINDS, Memory, Site, check, is_settled, now, turn
from tests.cluster.kubernetes_rows import Woken, watching

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
PERCENT, WATCHES = 25, 70  # of the requests, and of the watches, meet a fault
SERVICES = 6
TURNS = 150  # that one wish may take: most of them meet a fault


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that seemed dead is tried again at once, so that no time is slept through."""
    monkeypatch.setattr(breaker, "SHORTEST", datetime.timedelta(0))
    monkeypatch.setattr(breaker, "LONGEST", datetime.timedelta(0))
    monkeypatch.setattr(following, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(following, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(following, "SHORTEST_WATCH", 0.0)


def live(site: Site, row: Resource, seed: int) -> list[str]:
    """Have a service live by a seed until nothing is left of it; return what was there after each wish."""
    chance, memory, states = random.Random(seed), Memory(), []
    acts: list[tuple[str, Callable[[Resource], Any]]] = [
        ("greeting", lambda row: site.greet(row, "good morning")),
        ("user", lambda row: site.add_user(row, "user-1")),
        ("stop", site.stop),
        ("start", site.start),
        ("no user", site.drop_user),
    ]
    chance.shuffle(acts[:2])
    for name, act in [("order", lambda row: None), *acts, ("delete", site.delete)]:
        act(now(row))
        _work(row)
        check(site, row, memory, f"seed {seed}, {name}")
        states.append(f"{name}: {now(row).state} {_plain(site, row)}")
    return states


def _work(row: Resource) -> None:
    for _ in range(TURNS):
        if is_settled(row):
            return
        turn(row)
    raise AssertionError(f"{row.name} does not come to rest: {now(row).conditions}")


def _plain(site: Site, row: Resource) -> list[str]:
    """Return what the API server has of a service, without what two equal ones differ in."""
    found = []
    for name, one in site.objects(row).items():
        users = {str(child.id): child.name for child in row.children.all()}
        text = name.replace(row.handle, "HANDLE")
        for key, called in users.items():
            text = text.replace(key, called)
        greeting = (one.get("data") or {}).get("greeting", "")
        found.append(f"{text} {sorted(one.get('data') or {})} {greeting}")
    return sorted(found)


def test_services_come_out_the_same_as_without(site: Site, hasty: None, tell: Callable[[str], None]) -> None:
    expected = live(site, site.order("plain"), 0)
    faults = Faults(seed=1, percent=PERCENT)
    with in_front_of(site.control_plane, faults) as proxy:
        behind(site, proxy.port)
        for seed in range(SERVICES):
            assert live(site, site.order(f"box-{seed}"), seed) == expected
    tell(f"{SERVICES} lives behind a proxy with these faults: {dict(faults.met)}")
    assert {"429", "409", "410", "500", "lost"} <= faults.met.keys()


def behind(site: Site, port: int) -> None:
    """Have the cluster reached by another way."""
    sealed = vault.seal(site.control_plane.kubeconfig(server=f"https://127.0.0.1:{port}"))
    Cluster.objects.filter(id=site.cluster.id).update(kubeconfig=sealed)
    clients.forget(site.cluster.id)  # else for a second more it is reached by the old one


def test_watches_that_are_cut_miss_nothing(
    site: Site, hasty: None, eventually: Callable[..., Any], tell: Callable[[str], None]
) -> None:
    _work(site.order("first"))  # has the namespace made, which takes a dozen requests in one turn
    faults = Faults(seed=2, percent=PERCENT, watches=WATCHES)
    with in_front_of(site.control_plane, faults) as proxy:
        behind(site, proxy.port)
        with watching() as woken:
            eventually(lambda: seen.watched(site.cluster.id, timezone.now()) >= {kind.key for kind in KINDS}, within=60)
            rows = [site.order(f"box-{number}") for number in range(SERVICES)]
            for row in rows:
                _work(row)
            eventually(lambda: _touch(site, rows) or faults.met["cut"] > 1, within=60, every=0.1)
            _touch(site, rows)
            for row in rows:
                eventually(lambda: _is_seen_as_it_is(site, row), within=60)  # noqa: B023
                assert woken.at.get(row.handle)
            _kinds_of_news(site, rows[0], woken, eventually)
    tell(f"watches behind a proxy with these faults: {dict(faults.met)}")


def _touch(site: Site, rows: list[Resource]) -> None:
    """Change the root objects of services behind the portal's back."""
    for row in rows:
        path = f"/api/v1/namespaces/{engine.view.namespace_of(row)}/{CONFIG_MAP.plural}/{row.handle}"
        body = {"metadata": {"annotations": {"touched": str(time.monotonic_ns())}}}
        site.control_plane.call("PATCH", path, body, content="application/merge-patch+json")


def _kinds_of_news(site: Site, row: Resource, woken: Woken, eventually: Callable[..., Any]) -> None:
    """An object that goes is news as well."""
    path = f"/api/v1/namespaces/{engine.view.namespace_of(row)}/{CONFIG_MAP.plural}/{row.handle}"
    site.control_plane.call("DELETE", path)
    eventually(lambda: _is_seen_as_it_is(site, row), within=60)
    assert "ConfigMap " + row.handle not in site.objects(row)


def _is_seen_as_it_is(site: Site, row: Resource) -> bool:
    def versions(objects: Any) -> dict[str, str]:
        return {f"{one['kind']} {one['metadata']['name']}": one["metadata"]["resourceVersion"] for one in objects}

    there = {name: one["metadata"]["resourceVersion"] for name, one in site.objects(row).items()}
    return versions(seen.objects(site.cluster.id, row.handle)) == there


def test_the_proxy_itself_changes_nothing(site: Site) -> None:
    faults = Faults.none()
    with in_front_of(site.control_plane, faults) as proxy:
        behind(site, proxy.port)
        region = Region.objects.get(id=site.cluster.region_id)
        row = site.order("box", region=region.slug)
        for _ in range(3):
            turn(row)
    assert now(row).state == "running"
    assert set(faults.met) == {"none"}
