"""Reservations in the portal's table: its constraints decide who gets a port."""

import pytest

from portal.clusters.backends.local.stores import TablePortStore
from portal.clusters.models import Cluster, Region


@pytest.fixture
def store(db: None) -> TablePortStore:
    region = Region.objects.create(slug="here", name="Here")
    return TablePortStore(Cluster.objects.create(region=region, name="here-1", kind=Cluster.Kind.LOCAL))


def test_a_port_goes_to_one_service_and_a_name_to_one_port(store: TablePortStore) -> None:
    assert store.add("a", "main", 20000)
    assert not store.add("b", "main", 20000)
    assert not store.add("a", "main", 20001)
    assert store.add("b", "main", 20001)
    assert store.of("a") == {"main": 20000}
    assert store.taken() == {20000, 20001}
    store.release("a")
    assert store.taken() == {20001}


def test_clusters_do_not_share_reservations(store: TablePortStore) -> None:
    store.add("a", "main", 20000)
    other = Cluster.objects.create(region=Region.objects.get(), name="here-2", kind=Cluster.Kind.LOCAL)
    assert TablePortStore(other).taken() == set()
    assert TablePortStore(other).add("a", "main", 20000)
