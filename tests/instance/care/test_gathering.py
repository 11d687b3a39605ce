"""How each service's data gets into an archive: by a backup of its own, as it lies, or by standing still for it."""

import io
from pathlib import Path

import pytest
from django.utils import timezone
from pytest_django import Settings

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.supervisor import control
from portal.clusters.models import Cluster, Region
from portal.instance.care import gathering
from portal.instance.care.archive import Writer
from portal.instance.care.gathering import BACKUP, COPY, PAUSE
from portal.instance.failed import Failed
from portal.projects.models import Project
from portal.resources.models import Child, Resource

RUNNING: set[str] = set()


@pytest.fixture(autouse=True)
def data(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory whose supervisor answers, and where the services in RUNNING have a process."""
    settings.ARCHIPEL_DATA = tmp_path / "data"
    RUNNING.clear()
    monkeypatch.setattr(proc, "by_instance", lambda data: {handle: {1} for handle in RUNNING})
    monkeypatch.setattr(control, "ping", lambda data: True)
    monkeypatch.setattr(control, "poke", lambda data, handle: None)
    return Path(settings.ARCHIPEL_DATA)


@pytest.fixture
def shop(project: Project, data: Path) -> Resource:
    region = Region.objects.create(slug="here", name="Here")
    cluster = Cluster.objects.create(region=region, name="here", kind=Cluster.Kind.LOCAL)
    shop = Resource.objects.create(
        project=project,
        region=region,
        cluster=cluster,
        offering_slug="postgresql",
        version="17",
        release="17.10",
        name="shop",
        plan_slug="free",
        observed_generation=1,
        state="running",
        health="healthy",
        ready_once_at=timezone.now(),
    )
    Home(data, shop.handle).make()
    return shop


def how(shop: Resource, *, runs: bool = True, **changes: object) -> list[str]:
    RUNNING.clear()
    RUNNING.update({shop.handle} if runs else set())
    Resource.objects.filter(id=shop.id).update(**changes)
    return [job.how for job in gathering.jobs()]


def test_a_running_service_is_backed_up_and_a_resting_one_copied(shop: Resource) -> None:
    assert how(shop) == [BACKUP]
    assert how(shop, runs=False, running=False) == [COPY]
    assert how(shop, runs=False, running=True, deletion_requested_at=timezone.now(), deleted_at=timezone.now()) == [
        COPY
    ]


@pytest.mark.parametrize("changes", [{"health": "unavailable"}, {"generation": 2}])
def test_what_is_not_well_has_to_stand_still_which_somebody_must_agree_to(
    shop: Resource, changes: dict[str, object]
) -> None:
    assert how(shop, **changes) == [PAUSE]
    with pytest.raises(Failed, match=r"shop: can't be backed up while running .* --pause"):
        gathering.gather(Writer(io.BytesIO()), gathering.jobs(), pause=False)
    assert not Child.objects.exists()


def test_a_crashing_service_is_not_taken_for_one_that_rests(shop: Resource) -> None:
    assert how(shop, runs=False) == [BACKUP]
    assert how(shop, runs=False, health="unavailable") == [PAUSE]


def test_an_engine_without_backups_has_to_stand_still(shop: Resource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "backups_of", lambda resource: None)
    assert how(shop) == [PAUSE]


def test_what_has_no_data_or_goes_is_left_out(shop: Resource) -> None:
    assert how(shop, ready_once_at=None) == []
    assert how(shop, ready_once_at=timezone.now(), deletion_policy="wipe") == []


def test_services_that_nobody_supervises_are_a_refusal(shop: Resource, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ping", lambda data: False)
    with pytest.raises(Failed, match=r"manage\.py down"):
        how(shop)
    assert how(shop, runs=False) == [COPY]


def test_a_backup_of_an_earlier_run_that_was_cut_off_is_taken_away_and_a_customer_s_is_not(shop: Resource) -> None:
    ours = Child.objects.create(
        resource=shop, kind="backups", name="ours", state="succeeded", facts={gathering.MARK: True}
    )
    theirs = Child.objects.create(resource=shop, kind="backups", name="theirs", state="succeeded")
    gathering.tidy()
    ours.refresh_from_db()
    theirs.refresh_from_db()
    assert ours.deletion_requested_at is not None
    assert theirs.deletion_requested_at is None


def test_a_backup_that_a_restored_service_still_needs_stays(shop: Resource) -> None:
    ours = Child.objects.create(
        resource=shop, kind="backups", name="ours", state="succeeded", facts={gathering.MARK: True}
    )
    Resource.objects.filter(id=shop.id).update(health="unavailable")
    gathering.tidy()
    ours.refresh_from_db()
    assert ours.deletion_requested_at is None
