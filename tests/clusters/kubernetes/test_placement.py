"""Where an offering can be ordered on Kubernetes, what customers read of it and what operators do."""

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.clusters.models import Cluster, Region
from portal.clusters.placement import enabled_clusters, is_served, places
from portal.core import registry
from portal.core.drivers.kubernetes import SECRET, KubernetesDriver, ObjectKind
from portal.core.offerings import Offering
from portal.projects.models import Project
from portal.resources.actions.checking import place
from portal.resources.models import Resource

pytestmark = pytest.mark.django_db
CLUSTER = ObjectKind("postgresql.cnpg.io", "v1", "Cluster", "clusters")
SNAPSHOT = ObjectKind("snapshot.storage.k8s.io", "v1", "VolumeSnapshot", "volumesnapshots")
ALL = {"postgresql.cnpg.io/v1": ["Cluster", "Backup"]}
MISSING = "missing: postgresql.cnpg.io/v1/Cluster, served by CloudNativePG 1.30.0"


@dataclasses.dataclass(frozen=True)
class Driver(KubernetesDriver):
    """What placement reads of a driver."""

    kinds: tuple[ObjectKind, ...] = (SECRET, CLUSTER)
    operator: str = "CloudNativePG 1.30.0"


@pytest.fixture
def offering(monkeypatch: pytest.MonkeyPatch) -> Offering:
    known: Any = registry.offerings()["postgresql"]
    plans = tuple(dataclasses.replace(plan, backends=("local", "kubernetes")) for plan in known.plans)
    made: Offering = dataclasses.replace(known, drivers={"kubernetes": Driver()}, plans=plans)  # type: ignore[arg-type]
    monkeypatch.setattr(registry, "offerings", lambda: {made.slug: made})
    return made


@pytest.fixture
def region(db: None) -> Region:
    return Region.objects.create(slug="vienna", name="Vienna")


def a_cluster(region: Region, name: str = "vienna-1", **more: Any) -> Cluster:
    capabilities = {"version": "1.36.3", "apis": more.pop("apis", ALL)}
    return Cluster.objects.create(region=region, name=name, kind="kubernetes", capabilities=capabilities, **more)


def test_only_where_every_kind_is_served_and_operators_learn_what_is_not(offering: Offering, region: Region) -> None:
    served, older, unknown = (
        a_cluster(region),
        a_cluster(region, "older", apis={"postgresql.cnpg.io/v1beta1": ["Cluster"]}),
        a_cluster(region, "unknown", apis={}),
    )
    found = places(offering, [served, older, unknown])
    assert [(one.usable, one.missing) for one in found] == [(True, ""), (False, MISSING), (False, MISSING)]
    assert str(found[1].reason) == "not available in this region yet"
    local = Cluster.objects.create(region=region, name="here", kind="local")
    assert str(places(offering, [local])[0].reason) == "needs a Kubernetes region"


def test_kubernetes_own_kinds_are_always_served_and_those_that_only_sound_so_are_not(region: Region) -> None:
    cluster = a_cluster(region)
    own = ObjectKind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies")
    assert [is_served(kind, cluster) for kind in (SECRET, own, CLUSTER, SNAPSHOT)] == [True, True, True, False]


def test_of_one_region_the_living_cluster_with_the_fewest_services_is_taken(
    offering: Offering, region: Region, project: Project, django_assert_num_queries: Callable[[int], Any]
) -> None:
    full, silent, empty = a_cluster(region, "a"), a_cluster(region, "b"), a_cluster(region, "c")
    Cluster.objects.filter(id=silent.id).update(silent_since=timezone.now())
    Resource.objects.create(
        project=project, region=region, cluster=full, offering_slug="postgresql", handle="abcdefgh2345", name="a"
    )
    other = Region.objects.create(slug="graz", name="Graz")
    a_cluster(other, "0", silent_since=timezone.now())
    with django_assert_num_queries(2):
        assert [cluster.name for cluster in enabled_clusters()] == ["0", "c", "a", "b"]
    plan = offering.default_plan
    release = offering.default_version.newest
    assert place(offering, release, plan, "vienna") == empty
    Cluster.objects.exclude(name="b").update(enabled=False)
    assert place(offering, release, plan, "vienna") == silent  # orders wait for it
    with django_assert_num_queries(1):
        enabled_clusters()


def test_customers_read_that_it_is_not_here_yet_and_operators_what_is_missing(
    offering: Offering, region: Region, developer: User, operator: User, project: Project,
    client_of: Callable[[User], Client], api_of: Callable[..., APIClient],
) -> None:  # fmt: skip
    cluster = a_cluster(region, apis={})
    customer, provider = client_of(developer), client_of(operator)
    for path in ("/catalog", "/catalog/postgresql"):
        theirs, ours = customer.get(path).content.decode(), provider.get(path).content.decode()
        assert "Not available in this region yet" in theirs
        assert "CloudNativePG" not in theirs
        assert MISSING in ours
    [told] = api_of(developer).get("/api/v1/catalog/offerings/postgresql").json()["regions"]
    assert (told["available"], told["reason"]) == (False, "not available in this region yet")
    assert MISSING in provider.get(f"/admin/clusters/cluster/{cluster.pk}/change/").content.decode()


def test_operators_read_what_was_found_and_said_in_words(
    region: Region, operator: User, client_of: Callable[[User], Client]
) -> None:
    cluster = a_cluster(region, settings={"ingress": True, "classes": []})
    Cluster.objects.update(capabilities={"storage_classes": ["ceph", "local-path"], "supervised": False})
    page = client_of(operator).get(f"/admin/clusters/cluster/{cluster.pk}/change/").content.decode()
    for words in (
        "storage_classes</b>: ceph, local-path<",
        "supervised</b>: No<",
        "ingress</b>: Yes<",
        "classes</b>: –<",
    ):
        assert words in page


def test_the_order_page_says_that_a_region_is_silent_and_takes_the_order(
    offering: Offering, region: Region, developer: User, project: Project, client_of: Callable[[User], Client]
) -> None:
    a_cluster(region)
    browser = client_of(developer)
    words = "This region does not answer at the moment"
    assert words not in browser.get("/catalog/postgresql").content.decode()
    Cluster.objects.update(silent_since=timezone.now() - datetime.timedelta(minutes=1))
    page = browser.get("/catalog/postgresql").content.decode()
    assert words in page
    assert "Order now" in page
    a_cluster(Region.objects.create(slug="zagreb", name="Zagreb"), "zagreb-1")
    assert '<option value="zagreb" selected>' in browser.get("/catalog/postgresql").content.decode()


def test_a_region_of_two_clusters_is_offered_once(
    offering: Offering, region: Region, developer: User, project: Project, client_of: Callable[[User], Client]
) -> None:
    a_cluster(region)
    a_cluster(region, "vienna-2")
    assert client_of(developer).get("/catalog/postgresql").content.decode().count('value="vienna"') == 1


def test_the_pages_of_a_region_say_when_none_of_its_clusters_answers(
    region: Region, developer: User, api_of: Callable[..., APIClient]
) -> None:
    api = api_of(developer)
    a_cluster(region)
    silent = a_cluster(region, "vienna-2", silent_since=timezone.now())
    words = "oes not answer at the moment"
    pages = ("/regions", "/regions/vienna")
    assert [words in Client().get(page).content.decode() for page in pages] == [False, False]
    assert api.get("/api/v1/regions/vienna").json()["answering"] is True
    assert api.get("/api/v1/regions/vienna/ca").status_code == 404  # each service has an authority of its own
    Cluster.objects.exclude(id=silent.id).update(silent_since=timezone.now())
    assert [words in Client().get(page).content.decode() for page in pages] == [True, True]
    assert api.get("/api/v1/regions/vienna").json()["answering"] is False


def test_a_driver_may_need_a_kind_only_where_the_settings_ask_for_it(region: Region, offering: Offering) -> None:
    class Choosing(Driver):
        def needs(self, settings: Any) -> tuple[ObjectKind, ...]:
            return (CLUSTER, SNAPSHOT) if settings.get("bucket_class") else (CLUSTER,)

    chosen: Any = {"kubernetes": Choosing()}
    choosing = dataclasses.replace(offering, drivers=chosen)
    plain, asking = a_cluster(region), a_cluster(region, "vienna-2", settings={"bucket_class": "ceph"})
    assert [one.usable for one in places(choosing, [plain, asking])] == [True, False]
