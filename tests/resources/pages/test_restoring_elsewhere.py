"""The page of a restore where backups lie in an archive: into a new service alone, to a moment if that is wanted."""

import dataclasses
from collections.abc import Callable

import pytest
from django.test import Client

from portal.clusters.models import Cluster
from portal.core import registry
from portal.core.offerings import No, Yes
from portal.resources.models import Child, Resource
from tests.resources.pages.conftest import OBSERVED
from tests.resources.test_kinds_of_cluster import ToyThere

ARCHIVED = dataclasses.replace(
    OBSERVED,
    drivers={**OBSERVED.drivers, "kubernetes": ToyThere()},
    capabilities=dataclasses.replace(
        OBSERVED.capabilities, pitr=Yes("Any.", ("kubernetes",), otherwise=No("Nothing is archived.", "tests"))
    ),
)


@pytest.fixture
def archived(make: Callable[..., Resource], monkeypatch: pytest.MonkeyPatch) -> Resource:
    """A service in a Kubernetes region whose archive reaches back to the second of January."""
    found = {**registry.offerings(), ARCHIVED.slug: ARCHIVED}
    monkeypatch.setattr(registry, "offerings", lambda: found)
    monkeypatch.setattr("portal.clusters.placement._reason", lambda *_args: "")
    row = make()
    Cluster.objects.filter(id=row.cluster_id).update(kind="kubernetes")
    Resource.objects.filter(id=row.id).update(facts={**row.facts, "recoverable_from": "2026-01-02T00:00:00Z"})
    return Resource.objects.get(id=row.id)


def test_a_moment_may_be_chosen_and_the_service_itself_is_left_alone(
    browser: Client, archived: Resource, backup: Callable[..., Child]
) -> None:
    path = f"/services/{archived.public_id}/backups/{backup(archived).public_id}/restore"
    page = browser.get(path).content.decode()
    assert 'name="time"' in page
    assert "Restore in place" not in page
    early = browser.post(path, {"way": "new", "name": "copy", "plan": "dev-2", "time": "2026-01-01T10:00:00"})
    assert early.status_code == 422
    assert "between 2026-01-02T00:00:00Z and now" in early.content.decode()
    assert browser.post(path, {"way": "in_place", "confirm": archived.name}).status_code == 422
    assert (
        browser.post(path, {"way": "new", "name": "copy", "plan": "dev-2", "time": "2026-01-03T10:00:00"}).status_code
        == 302
    )
    made = Resource.objects.get(name="copy")
    assert made.origin is not None
    assert made.origin["facts"] == {"time": "2026-01-03T10:00:00Z"}


def test_where_nothing_is_archived_no_moment_is_asked_for(
    browser: Client, archived: Resource, backup: Callable[..., Child]
) -> None:
    path = f"/services/{archived.public_id}/backups/{backup(archived).public_id}/restore"
    Cluster.objects.filter(id=archived.cluster_id).update(kind="local")
    page = browser.get(path).content.decode()
    assert 'name="time"' not in page
    assert "Restore in place" in page
