"""A denied try is recorded, also where it was found out inside the act's own transaction."""

from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.clusters.models import Cluster, Region
from portal.core import registry
from portal.projects.models import Project
from tests.contracts import rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def service(project: Project) -> str:
    region = Region.objects.create(slug="local", name="This machine")
    cluster = Cluster.objects.create(region=region, name="local", kind="local", capabilities={"isolation": True})
    return rows.make(registry.offerings()["postgresql"], project, cluster).public_id


def test_the_record_of_a_denied_try_outlives_the_rollback(
    service: str, viewer: User, api_of: Callable[..., APIClient], client_of: Callable[[User], Client]
) -> None:
    assert api_of(viewer).delete(f"/api/v1/services/{service}").status_code == 403
    assert api_of(viewer).post(f"/api/v1/services/{service}/restart", {}, format="json").status_code == 403
    assert client_of(viewer).post(f"/services/{service}/do/stop").status_code == 403
    denied = AuditEvent.objects.filter(outcome="denied", actor_id=viewer.id)
    assert set(denied.values_list("action", flat=True)) == {"service.delete", "service.operate"}
    assert denied.count() == 3
