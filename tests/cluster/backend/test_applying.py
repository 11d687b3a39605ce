"""Apply, prune and read on a real API server: crash-safe at every request, and silent where nothing has changed."""

from collections.abc import Callable
from typing import Any

import pytest

from portal.clusters.backends.base import Tenancy, Wanted
from portal.clusters.backends.kubernetes import seen
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.clusters.backends.kubernetes.client import Client, Stale
from portal.clusters.backends.kubernetes.tenancy import only_new
from portal.clusters.models import Inventory, Watch
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import (
    CONFIG_MAP,
    KEEP,
    SECRET,
    VOLUME_CLAIM,
    ClusterSecret,
    ObjectKind,
    find,
    manifest,
)
from portal.core.errors import PermanentError, TemporaryError
from tests.cluster.backend.conftest import Kill, Requests, new_handle
from tests.cluster.toy import CLAIM, config_map

pytestmark = [pytest.mark.engine, pytest.mark.django_db]
Turn = Callable[..., list[Any]]


@pytest.fixture
def watched(cluster: Any) -> None:
    """As if the watches were connected; nothing is changed behind the portal's back here."""
    from django.utils import timezone

    for kind in (CONFIG_MAP, SECRET, VOLUME_CLAIM):
        Watch.objects.create(cluster=cluster, kind=kind.key, alive_at=timezone.now())


def of_service(api: Client, place: Tenancy, handle: str) -> dict[str, str]:
    """Return by kind and name the uids of what the API server has of a service."""
    found = {}
    for kind in (CONFIG_MAP, SECRET, VOLUME_CLAIM):
        for one in api.list(kind, namespace=place.namespace, selector=f"archipel.eu/service={handle}")[0]:
            found[f"{kind.kind} {one['metadata']['name']}"] = one["metadata"]["uid"]
    return found


def test_what_is_rendered_is_there_and_a_second_turn_asks_nothing(
    turn: Turn, place: Tenancy, handle: str, requests: Requests, watched: None, django_assert_max_num_queries: Any
) -> None:
    rendered = [ClusterSecret("admin", plain={"username": "admin"}), config_map(handle, greeting="hello")]
    objects = turn(rendered)
    root = find(objects, CONFIG_MAP, handle)
    assert root is not None
    assert root["data"] == {"greeting": "hello"}
    assert root["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "archipel",
        "archipel.eu/service": handle,
        "archipel.eu/project": str(place.project_id),
    }
    secret = find(objects, SECRET, f"{handle}-admin")
    assert secret is not None
    assert "data" not in secret
    requests.disarm()
    with django_assert_max_num_queries(9):
        assert turn(rendered, fence=2) == objects
    assert requests.asked == []
    turn([rendered[0], config_map(handle, greeting="moin")], fence=3)
    assert [one.split()[0] for one in requests.asked] == ["PATCH"]


def test_what_somebody_changes_is_put_right_again(turn: Turn, api: Client, place: Tenancy, handle: str) -> None:
    turn([config_map(handle, greeting="hello")])
    foreign = api.get(CONFIG_MAP, place.namespace, handle)
    assert foreign is not None
    foreign["data"] = {"greeting": "changed"}
    api.replace(CONFIG_MAP, foreign)
    turn([config_map(handle, greeting="hello")], fence=2)  # reads at its end what was changed
    root = find(turn([config_map(handle, greeting="hello")], fence=3), CONFIG_MAP, handle)
    assert root is not None
    assert root["data"] == {"greeting": "hello"}
    api.delete(CONFIG_MAP, place.namespace, handle)
    assert turn([config_map(handle, greeting="hello")], fence=4) == []
    assert find(turn([config_map(handle, greeting="hello")], fence=5), CONFIG_MAP, handle)


def test_an_older_turn_is_ignored(turn: Turn, api: Client, place: Tenancy, handle: str) -> None:
    turn([config_map(handle, greeting="new")], fence=5)
    turn([config_map(handle, greeting="old"), config_map(f"{handle}-old")], fence=4)
    there = api.get(CONFIG_MAP, place.namespace, handle)
    assert there is not None
    assert there["data"] == {"greeting": "new"}
    assert api.get(CONFIG_MAP, place.namespace, f"{handle}-old") is None


def test_what_is_no_longer_rendered_goes_but_for_what_is_kept(
    turn: Turn, api: Client, place: Tenancy, handle: str
) -> None:
    claim = manifest(VOLUME_CLAIM, f"{handle}-data", CLAIM, annotations={KEEP: "true"})
    admin, user = GeneratedSecret("admin"), GeneratedSecret("user")
    turn([admin, user, claim, config_map(handle), config_map(f"{handle}-user")])
    assert len(of_service(api, place, handle)) == 5
    turn([admin, config_map(handle)], fence=2)
    kept = {f"ConfigMap {handle}", f"PersistentVolumeClaim {handle}-data", f"Secret {handle}-admin"}
    assert set(of_service(api, place, handle)) == kept
    assert set(Inventory.objects.get(handle=handle).secrets) == {"admin"}


def test_what_waits_for_its_finalizers_is_waited_for_and_made_anew_only_after_that(
    turn: Turn, api: Client, place: Tenancy, handle: str
) -> None:
    name = f"{handle}-part"
    held = config_map(name)
    held["metadata"]["finalizers"] = ["toy.example/held"]
    turn([config_map(handle), held])
    objects = turn([config_map(handle)], fence=2)
    leaving = find(objects, CONFIG_MAP, name)
    assert leaving is not None
    assert leaving["metadata"]["deletionTimestamp"]
    with pytest.raises(TemporaryError, match="still being taken away"):
        turn([config_map(handle), config_map(name)], fence=3)
    there = api.get(CONFIG_MAP, place.namespace, name)
    assert there is not None
    del there["metadata"]["finalizers"]
    api.replace(CONFIG_MAP, there)
    made = find(turn([config_map(handle), config_map(name)], fence=4), CONFIG_MAP, name)
    assert made is not None
    assert made["metadata"]["uid"] != there["metadata"]["uid"]


def test_an_object_of_somebody_elses_is_neither_changed_nor_taken_away(
    backend: KubernetesBackend, turn: Turn, api: Client, place: Tenancy, handle: str
) -> None:
    backend.prepare(handle, place)
    foreign = config_map(handle, whose="theirs")
    foreign["metadata"]["namespace"] = place.namespace
    made = api.create(CONFIG_MAP, foreign)
    with pytest.raises(PermanentError, match="not the portal's"):
        turn([config_map(handle, greeting="hello")])
    assert api.get(CONFIG_MAP, place.namespace, handle) == made
    backend.delete(handle, fence=2)
    assert backend.leftovers(handle) == []
    assert api.get(CONFIG_MAP, place.namespace, handle) == made


def test_a_field_that_the_kind_does_not_have_is_told_and_keeps_nothing_else_from_being_made_or_there(
    turn: Turn, handle: str, api: Client, place: Tenancy
) -> None:
    turn([config_map(f"{handle}-old")])
    wrong = manifest(VOLUME_CLAIM, handle, {**CLAIM, "sizes": 3})
    with pytest.raises(PermanentError, match=r"does not know the setting .*sizes"):
        turn([wrong, config_map(handle)], fence=2)
    assert set(of_service(api, place, handle)) == {f"ConfigMap {handle}", f"ConfigMap {handle}-old"}
    turn([config_map(handle)], fence=3)
    assert set(of_service(api, place, handle)) == {f"ConfigMap {handle}"}


def test_a_secret_is_made_once_and_anew_only_when_its_rotation_rises(
    backend: KubernetesBackend, turn: Turn, handle: str, api: Client, place: Tenancy
) -> None:
    turn([ClusterSecret("admin", plain={"username": "ann"})])
    first = backend.reveal(handle, ["admin", "other", "../../x"])
    assert set(first) == {"admin"}
    assert first["admin"]["username"] == "ann"
    assert len(first["admin"]["password"]) == 32
    assert first["admin"]["password"].isalnum()
    Inventory.objects.update(secrets={})  # as after a crash between the request and the row
    turn([ClusterSecret("admin", plain={"username": "ann"})], fence=2)
    assert backend.reveal(handle, ["admin"]) == first
    turn([ClusterSecret("admin", keys=("password", "key"), plain={"username": "eve"})], fence=3)
    more = backend.reveal(handle, ["admin"])["admin"]
    assert (more["password"], more["username"], len(more["key"])) == (first["admin"]["password"], "eve", 32)
    turn([ClusterSecret("admin", rotation=1, plain={"username": "ann"})], fence=4)
    second = backend.reveal(handle, ["admin"])
    assert second["admin"]["password"] != first["admin"]["password"]
    Inventory.objects.update(secrets={})
    turn([ClusterSecret("admin", rotation=1, plain={"username": "ann"})], fence=5)
    assert backend.reveal(handle, ["admin"]) == second


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_worker_may_be_killed_at_every_request(
    backend: KubernetesBackend, project: Any, api: Client, requests: Requests, after: bool
) -> None:
    """Make, change and prune, killed at the nth request of all; the next turn goes on, and nothing is made twice."""
    nth = 0
    while True:
        nth += 1
        handle = new_handle()
        place = Tenancy(f"prj-k-{handle}", project.organization_id, project.id)
        one, two = GeneratedSecret("one"), GeneratedSecret("two")
        wishes = [
            [one, two, config_map(handle, step="1"), config_map(f"{handle}-a"), config_map(f"{handle}-b")],
            [one, config_map(handle, step="2"), config_map(f"{handle}-b", step="2")],
        ]
        requests.arm(nth, after=after)
        killed, passwords = False, set()
        for fence, rendered in ((1, wishes[0]), (3, wishes[1])):
            try:
                _turn(backend, handle, place, rendered, fence)
            except Kill:
                killed = True
                requests.disarm()
                before = of_service(api, place, handle)
                _turn(backend, handle, place, rendered, fence + 1)
                survived = of_service(api, place, handle)
                assert {key: survived[key] for key in before if key in survived}.items() <= before.items()
            with requests.paused():
                passwords.add(backend.reveal(handle, ["one"])["one"]["password"])
        requests.kill_at = 0
        there = of_service(api, place, handle)
        assert set(there) == {f"ConfigMap {handle}", f"ConfigMap {handle}-b", f"Secret {handle}-one"}
        assert len(passwords) == 1
        row = Inventory.objects.get(handle=handle)
        assert {line["uid"] for line in row.entries.values()} == {there[key] for key in there if "ConfigMap" in key}
        if not killed:
            assert nth > 20
            return


def _turn(backend: KubernetesBackend, handle: str, place: Tenancy, rendered: list[Any], fence: int) -> None:
    backend.prepare(handle, place)
    backend.ensure_secrets(handle, [item for item in rendered if isinstance(item, GeneratedSecret)])
    backend.apply(Wanted(handle, fence, fence, rendered))
    backend.read(handle)


def test_seen_rows_that_were_lost_cost_requests_and_nothing_else(
    turn: Turn, handle: str, cluster: Any, api: Client, place: Tenancy
) -> None:
    turn([GeneratedSecret("admin"), config_map(handle)])
    before = of_service(api, place, handle)
    seen.forget(cluster.id, handle)
    turn([GeneratedSecret("admin"), config_map(handle)], fence=2)
    assert of_service(api, place, handle) == before


def test_an_apply_that_may_only_make_an_object_never_changes_one(
    api: Client, crds: Any, handle: str, namespace: str
) -> None:
    """Of kinds that are the API server's own and of those that operators bring, which other code serves."""
    backup = ObjectKind("postgresql.cnpg.io", "v1", "Backup", "backups")
    for one in (config_map(handle, step="1"), manifest(backup, handle, {"cluster": {"name": handle}})):
        kind = backup if one["kind"] == "Backup" else CONFIG_MAP
        one["metadata"]["namespace"] = namespace
        made = api.apply(kind, only_new(one), force=False)
        assert made["metadata"]["resourceVersion"] != "1"
        with pytest.raises(Stale):
            api.apply(kind, only_new({**one, "metadata": {**one["metadata"], "labels": {"whose": "ours"}}}), force=True)
        assert api.get(kind, namespace, handle) == made


@pytest.mark.parametrize("deleted", [False, True], ids=["changed", "deleted"])
def test_what_a_killed_worker_had_made_is_not_forgotten_where_it_is_not_wanted_any_more(
    backend: KubernetesBackend, api: Client, place: Tenancy, requests: Requests, deleted: bool
) -> None:
    killed, nth = True, 0
    while killed:
        nth += 1
        handle = new_handle()
        requests.disarm()
        backend.prepare(handle, place)
        requests.arm(nth, after=True)
        try:
            _turn(backend, handle, place, [GeneratedSecret("old"), config_map(f"{handle}-old"), config_map(handle)], 1)
            killed = False
        except Kill:
            requests.disarm()
        requests.kill_at = 0
        if deleted:
            backend.delete(handle, fence=2)
            assert backend.leftovers(handle) == []
        else:
            _turn(backend, handle, place, [config_map(handle)], 2)
        assert set(of_service(api, place, handle)) == (set() if deleted else {f"ConfigMap {handle}"})
    assert nth > 3
