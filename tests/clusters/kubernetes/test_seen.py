"""What was seen: only newer replaces, no secret is kept, and a watch is relied on for a minute."""

import datetime
import json
from typing import Any

import pytest
from django.utils import timezone

from portal.clusters.backends.kubernetes import seen
from portal.clusters.collectors import Watches
from portal.clusters.models import Cluster, SeenObject, Watch
from portal.core.drivers.kubernetes import CONFIG_MAP, SECRET, SERVICE

pytestmark = pytest.mark.django_db


def told(version: int, *, name: str = "abc-settings", uid: str = "u1", **rest: Any) -> dict[str, Any]:
    metadata = {"namespace": "prj-1", "name": name, "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **rest}


def test_only_what_is_newer_replaces_what_is_known(cluster: Cluster) -> None:
    assert seen.note(cluster.id, "abc", CONFIG_MAP, told(10, data={"a": "new"}))
    assert not seen.note(cluster.id, "abc", CONFIG_MAP, told(9, data={"a": "old"}))
    assert not seen.note(cluster.id, "abc", CONFIG_MAP, told(10, data={"a": "again"}))
    assert [one["data"] for one in seen.objects(cluster.id, "abc")] == [{"a": "new"}]
    assert seen.note(cluster.id, "abc", CONFIG_MAP, told(100, data={"a": "newest"}))  # as numbers, not as text
    assert [one["data"] for one in seen.objects(cluster.id, "abc")] == [{"a": "newest"}]


def test_an_old_answer_does_not_bring_back_what_is_gone_but_a_new_object_of_the_name_does(cluster: Cluster) -> None:
    seen.note(cluster.id, "abc", CONFIG_MAP, told(10))
    assert seen.note(cluster.id, "abc", CONFIG_MAP, told(12), gone=True)
    assert not seen.note(cluster.id, "abc", CONFIG_MAP, told(11))
    assert seen.objects(cluster.id, "abc") == []
    assert seen.note(cluster.id, "abc", CONFIG_MAP, told(13, uid="u2"))
    assert [one["metadata"]["uid"] for one in seen.objects(cluster.id, "abc")] == ["u2"]


def test_being_gone_is_news_at_the_same_version_once(cluster: Cluster) -> None:
    seen.note(cluster.id, "abc", CONFIG_MAP, told(10))
    assert seen.note(cluster.id, "abc", CONFIG_MAP, told(10), gone=True)
    assert not seen.note(cluster.id, "abc", CONFIG_MAP, told(10), gone=True)


def test_nothing_secret_is_kept_of_a_secret_and_nobody_keeps_who_manages_which_field(cluster: Cluster) -> None:
    secret = told(10, data={"password": "aHVudGVyMg=="}, stringData={"password": "hunter2"}, type="Opaque")
    secret["metadata"]["managedFields"] = [{"manager": "archipel"}]
    secret["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"password":"aHVudGVyMg=="}}',
        "archipel.eu/rotation": "1",
    }
    seen.note(cluster.id, "abc", SECRET, secret)
    [row] = SeenObject.objects.values_list("content", flat=True)
    assert "aHVudGVyMg" not in json.dumps(row)
    assert "hunter2" not in json.dumps(row)
    assert "managedFields" not in str(row)
    assert set(row) == {"apiVersion", "kind", "metadata"}
    assert (row["kind"], row["metadata"]["annotations"]) == ("Secret", {"archipel.eu/rotation": "1"})


def test_text_that_the_database_refuses_does_not_lose_the_object(cluster: Cluster) -> None:
    assert seen.note(cluster.id, "abc", CONFIG_MAP, told(10, data={"a": "x\x00y"}))
    assert seen.objects(cluster.id, "abc")[0]["data"] == {"a": "x�y"}


def test_what_a_list_does_not_show_is_gone_but_not_what_came_after_the_list(cluster: Cluster) -> None:
    for name, version in (("abc-a", 10), ("abc-b", 11), ("abc-c", 30)):
        seen.note(cluster.id, "abc", CONFIG_MAP, told(version, name=name))
    seen.note(cluster.id, "def", SERVICE, told(10, name="def-a"))
    assert seen.missing_from_list(cluster.id, CONFIG_MAP, {("prj-1", "abc-a")}, 20) == {"abc"}
    assert [one["metadata"]["name"] for one in seen.objects(cluster.id, "abc")] == ["abc-a", "abc-c"]
    assert len(seen.objects(cluster.id, "def")) == 1
    assert seen.missing_from_list(cluster.id, CONFIG_MAP, {("prj-1", "abc-a")}, 20) == set()


def test_what_the_server_does_not_have_is_gone(cluster: Cluster) -> None:
    seen.note(cluster.id, "abc", CONFIG_MAP, told(10))
    assert seen.missing(cluster.id, CONFIG_MAP, "prj-1", "abc-settings")
    assert not seen.missing(cluster.id, CONFIG_MAP, "prj-1", "abc-settings")
    assert seen.objects(cluster.id, "abc") == []


def test_a_kind_is_relied_on_while_its_watch_is_fresh(cluster: Cluster) -> None:
    now = timezone.now()
    Watch.objects.create(cluster=cluster, kind=CONFIG_MAP.key, alive_at=now)
    assert seen.watched(cluster.id, now) == {CONFIG_MAP.key}
    watch = Watch.objects.create(cluster=cluster, kind=SERVICE.key, alive_at=None)
    assert seen.watched(cluster.id, now) == {CONFIG_MAP.key}
    Watch.objects.filter(id=watch.id).update(alive_at=now - datetime.timedelta(seconds=50))
    assert seen.watched(cluster.id, now) == {CONFIG_MAP.key, SERVICE.key}
    assert seen.watched(cluster.id, now + datetime.timedelta(seconds=20)) == {CONFIG_MAP.key}


def test_how_many_kinds_are_followed_is_a_metric(cluster: Cluster) -> None:
    Watch.objects.create(cluster=cluster, kind=CONFIG_MAP.key, alive_at=timezone.now())
    Watch.objects.create(cluster=cluster, kind=SERVICE.key, alive_at=None)
    Watch.objects.create(cluster=cluster, kind=SECRET.key, alive_at=timezone.now() - datetime.timedelta(minutes=5))
    [family] = Watches().collect()
    assert [(sample.labels["followed"], sample.value) for sample in family.samples] == [("1", 1), ("0", 2)]


def test_what_is_gone_is_forgotten_after_a_while(cluster: Cluster) -> None:
    seen.note(cluster.id, "abc", CONFIG_MAP, told(10, name="abc-a"))
    seen.note(cluster.id, "abc", CONFIG_MAP, told(11, name="abc-b"), gone=True)
    seen.sweep(timezone.now())
    assert SeenObject.objects.count() == 2
    seen.sweep(timezone.now() + datetime.timedelta(minutes=11))
    assert [row.name for row in SeenObject.objects.all()] == ["abc-a"]
    seen.forget(cluster.id, "abc")
    assert not SeenObject.objects.exists()
