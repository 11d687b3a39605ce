"""The role of ``up`` that waits for the first Kubernetes cluster: it asks the database alone, and bears with it."""

from typing import Any

import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from portal.clusters.models import Cluster, Region
from portal.instance import watch

pytestmark = pytest.mark.django_db(transaction=True)


def conninfo(**other: Any) -> str:
    found = connection.settings_dict
    keys = {"dbname": found["NAME"], "user": found["USER"], "password": found["PASSWORD"], "host": found["HOST"]}
    return make_conninfo(**{key: value for key, value in (keys | other).items() if value})


def test_it_waits_until_there_is_an_enabled_kubernetes_cluster() -> None:
    assert not watch.is_needed(conninfo())
    region = Region.objects.create(slug="far", name="Far")
    cluster = Cluster.objects.create(region=region, name="far-1", kind=Cluster.Kind.KUBERNETES, enabled=False)
    assert not watch.is_needed(conninfo())
    Cluster.objects.filter(id=cluster.id).update(enabled=True)
    assert watch.is_needed(conninfo())


def test_a_database_that_is_away_or_empty_knows_no_cluster() -> None:
    assert not watch.is_needed(conninfo(dbname="postgres"))
    assert not watch.is_needed(conninfo(host="/nowhere"))
