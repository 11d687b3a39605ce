"""The watch: what it is told is kept and wakes, breaks cost nothing but time, one dead cluster is its own trouble.

``PlayedClient`` is a double of an API server's lists and watches; the real one is asked in tests/cluster.
"""

import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from portal.clusters.backends.kubernetes import following, transport, watching
from portal.clusters.backends.kubernetes.client import Event, Expired, Refused, Silent
from portal.clusters.backends.kubernetes.watching import Watching
from portal.clusters.models import Cluster, Region, SeenObject, Watch
from portal.core.drivers.kubernetes import CONFIG_MAP, HANDLE_LABEL, NETWORK_POLICY, SECRET, ObjectKind

pytestmark = pytest.mark.django_db(transaction=True)
Eventually = Callable[..., Any]


class PlayedStream:
    """Ends with ``None`` on its queue, and breaks with an exception on it."""

    def __init__(self) -> None:
        self.told: queue.Queue[Any] = queue.Queue()

    def __iter__(self) -> Iterator[Event]:
        while (told := self.told.get()) is not None:
            if isinstance(told, Exception):
                raise told
            yield told

    def close(self) -> None:
        self.told.put(None)


class PlayedClient:
    """Lists what ``items`` holds; every watch of a kind is one of ``streams``."""

    def __init__(self) -> None:
        self.items: dict[str, list[dict[str, Any]]] = {}
        self.version = "100"
        self.lists: list[str] = []
        self.watches: list[tuple[str, str]] = []
        self.metadata_only: set[str] = set()
        self.streams: dict[str, PlayedStream] = {}
        self.trouble: Exception | None = None

    def list(self, kind: ObjectKind, *, selector: str, metadata_only: bool = False) -> tuple[list[dict[str, Any]], str]:
        assert selector == "app.kubernetes.io/managed-by=archipel"
        if self.trouble:
            raise self.trouble
        self.lists.append(kind.key)
        if metadata_only:
            self.metadata_only.add(kind.key)
        return self.items.get(kind.key, []), self.version

    def watch(
        self, kind: ObjectKind, *, resource_version: str, selector: str, metadata_only: bool, timeout_seconds: int
    ) -> PlayedStream:
        assert timeout_seconds < transport.WATCH_SECONDS, "an idle watch must not look like a dead one"
        if self.trouble:
            raise self.trouble
        self.watches.append((kind.key, resource_version))
        stream = self.streams[kind.key] = PlayedStream()
        return stream


def thing(name: str, version: int, handle: str = "abc", **rest: Any) -> dict[str, Any]:
    labels = {HANDLE_LABEL: handle} if handle else {}
    metadata = {"namespace": "prj", "name": name, "uid": name, "resourceVersion": str(version), "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, **rest}


@pytest.fixture
def region() -> Region:
    return Region.objects.create(slug="far", name="Far")


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[uuid.UUID, PlayedClient]:
    played: dict[uuid.UUID, PlayedClient] = {}
    monkeypatch.setattr(following, "client_of", lambda cluster_id: played[cluster_id])
    monkeypatch.setattr(following, "FIRST_PAUSE", 0.02)
    monkeypatch.setattr(following, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(watching, "kinds_in_use", lambda: {SECRET.key: SECRET, CONFIG_MAP.key: CONFIG_MAP})
    return played


def make(region: Region, clients: dict[uuid.UUID, PlayedClient], name: str = "far-1") -> tuple[Cluster, PlayedClient]:
    cluster = Cluster.objects.create(region=region, name=name, kind=Cluster.Kind.KUBERNETES)
    clients[cluster.id] = PlayedClient()
    return cluster, clients[cluster.id]


@pytest.fixture
def woken() -> Iterator[list[str]]:
    """Handles that the watch, which runs beside the test, has woken."""
    handles: list[str] = []
    stop = threading.Event()
    thread = threading.Thread(target=_watch, args=(handles, stop))
    thread.start()
    yield handles
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def _watch(handles: list[str], stop: threading.Event) -> None:
    from django.db import connection

    try:
        Watching(handles.append).run(stop)
    finally:
        connection.close()


def is_seen(name: str, **fields: Any) -> bool:
    return SeenObject.objects.filter(name=name, gone=False, **fields).exists()


@pytest.fixture
def followed(
    region: Region, clients: dict[uuid.UUID, PlayedClient], woken: list[str], eventually: Eventually
) -> tuple[Cluster, PlayedClient]:
    """A cluster whose ConfigMaps and Secrets are watched."""
    cluster, client = make(region, clients)
    eventually(lambda: Watch.objects.exclude(alive_at=None).count() == 2)
    return cluster, client


def test_a_list_then_changes_then_a_deletion_are_kept_and_wake(
    region: Region, clients: dict[uuid.UUID, PlayedClient], woken: list[str], eventually: Eventually
) -> None:
    _cluster, client = make(region, clients)
    client.items[CONFIG_MAP.key] = [thing("abc-a", 10), thing("quota", 11, handle="")]
    eventually(lambda: is_seen("abc-a") and woken == ["abc"])
    assert not is_seen("quota")
    eventually(lambda: CONFIG_MAP.key in client.streams)
    stream = client.streams[CONFIG_MAP.key]
    stream.told.put(Event("MODIFIED", thing("abc-a", 101, data={"a": "b"})))
    eventually(lambda: is_seen("abc-a", content__data={"a": "b"}) and woken == ["abc"] * 2)
    stream.told.put(Event("MODIFIED", thing("abc-a", 101, data={"a": "b"})))  # told twice is no news
    stream.told.put(Event("DELETED", thing("abc-a", 102)))
    eventually(lambda: not is_seen("abc-a") and woken == ["abc"] * 3)
    assert client.metadata_only == {SECRET.key}


def test_many_changes_of_one_service_wake_it_few_times(
    followed: tuple[Cluster, PlayedClient], woken: list[str], eventually: Eventually
) -> None:
    for number in range(200):
        followed[1].streams[CONFIG_MAP.key].told.put(Event("MODIFIED", thing("abc-a", 200 + number)))
    followed[1].streams[CONFIG_MAP.key].told.put(Event("MODIFIED", thing("def-a", 900, handle="def")))
    eventually(lambda: is_seen("abc-a", resource_version=399) and "def" in woken)
    eventually(lambda: woken.count("abc") >= 1)
    assert woken.count("abc") <= 12  # four in a second


def test_a_watch_that_breaks_off_goes_on_from_where_it_was(
    followed: tuple[Cluster, PlayedClient], eventually: Eventually
) -> None:
    _cluster, client = followed
    stream = client.streams[CONFIG_MAP.key]
    stream.told.put(Event("BOOKMARK", thing("", 150, handle="")))
    stream.told.put(Silent("cut"))
    eventually(lambda: (CONFIG_MAP.key, "150") in client.watches)
    assert client.lists.count(CONFIG_MAP.key) == 1


def test_a_version_that_is_too_old_has_all_listed_again_and_what_is_not_listed_is_gone(
    followed: tuple[Cluster, PlayedClient], woken: list[str], eventually: Eventually
) -> None:
    _cluster, client = followed
    client.streams[CONFIG_MAP.key].told.put(Event("ADDED", thing("abc-a", 101)))
    eventually(lambda: is_seen("abc-a"))
    client.items[CONFIG_MAP.key], client.version = [thing("def-a", 180, handle="def")], "200"
    client.streams[CONFIG_MAP.key].told.put(Expired("too old"))
    eventually(lambda: is_seen("def-a") and not is_seen("abc-a"))
    eventually(lambda: (CONFIG_MAP.key, "200") in client.watches and sorted(woken) == ["abc", "abc", "def"])


def test_a_cluster_put_back_from_a_backup_is_believed(
    followed: tuple[Cluster, PlayedClient], eventually: Eventually
) -> None:
    _cluster, client = followed
    client.streams[CONFIG_MAP.key].told.put(Event("ADDED", thing("abc-a", 101, data={"a": "late"})))
    eventually(lambda: is_seen("abc-a"))
    client.items[CONFIG_MAP.key], client.version = [thing("abc-a", 40, data={"a": "early"})], "50"
    client.streams[CONFIG_MAP.key].told.put(Expired("too old"))
    eventually(lambda: is_seen("abc-a", content__data={"a": "early"}))


def test_a_cluster_that_is_dead_or_refuses_does_not_delay_another_and_is_not_called_alive(
    region: Region, clients: dict[uuid.UUID, PlayedClient], woken: list[str], eventually: Eventually
) -> None:
    dead, silent = make(region, clients, "dead")
    refusing, no = make(region, clients, "refusing")
    silent.trouble, no.trouble = Silent("no route"), Refused(403, "Forbidden", "may not list")
    _good, client = make(region, clients, "good")
    eventually(lambda: CONFIG_MAP.key in client.streams)
    client.streams[CONFIG_MAP.key].told.put(Event("ADDED", thing("abc-a", 101)))
    eventually(lambda: woken == ["abc"])
    assert not Watch.objects.filter(cluster__in=[dead, refusing]).exclude(alive_at=None).exists()
    silent.trouble = None
    eventually(lambda: Watch.objects.filter(cluster=dead).exclude(alive_at=None).count() == 2)


def test_what_the_database_refuses_is_left_out_and_the_rest_goes_on(
    followed: tuple[Cluster, PlayedClient], woken: list[str], eventually: Eventually
) -> None:
    stream = followed[1].streams[CONFIG_MAP.key]
    stream.told.put(Event("ADDED", {**thing("abc-a", 101), "metadata": {**thing("x" * 300, 101)["metadata"]}}))
    stream.told.put(Event("ADDED", thing("def-a", 102, handle="def")))
    eventually(lambda: woken == ["def"])


def test_clusters_and_kinds_come_and_go_while_it_runs(
    followed: tuple[Cluster, PlayedClient], eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster, client = followed
    new = ObjectKind("toys.example", "v1", "Toy", "toys")
    monkeypatch.setattr(watching, "kinds_in_use", lambda: {CONFIG_MAP.key: CONFIG_MAP, new.key: new})
    eventually(lambda: list(Watch.objects.values_list("kind", flat=True)) == [CONFIG_MAP.key])  # not served yet
    Cluster.objects.filter(id=cluster.id).update(capabilities={"apis": {"toys.example/v1": ["Toy"]}})
    eventually(lambda: Watch.objects.filter(kind=new.key).exclude(alive_at=None).exists())
    Cluster.objects.filter(id=cluster.id).update(enabled=False)
    eventually(lambda: not Watch.objects.exists())
    Cluster.objects.filter(id=cluster.id).update(enabled=True)
    eventually(lambda: client.lists.count(CONFIG_MAP.key) == 2)


def test_kubernetes_own_kinds_are_always_served_and_those_that_are_installed_where_found() -> None:
    gateway = ObjectKind("gateway.networking.k8s.io", "v1", "Gateway", "gateways")
    cluster = Cluster(capabilities={"apis": {}})
    assert watching.served(cluster, [CONFIG_MAP, NETWORK_POLICY, gateway]) == [CONFIG_MAP, NETWORK_POLICY]
    cluster.capabilities["apis"]["gateway.networking.k8s.io/v1"] = ["Gateway"]
    assert watching.served(cluster, [gateway]) == [gateway]


def test_the_next_process_goes_on_from_where_the_last_one_stopped(
    region: Region, clients: dict[uuid.UUID, PlayedClient], eventually: Eventually
) -> None:
    _cluster, client = make(region, clients)
    for version in ("100", "170"):
        stop = threading.Event()
        thread = threading.Thread(target=_watch, args=([], stop))
        thread.start()
        eventually(lambda: (CONFIG_MAP.key, version) in client.watches)  # noqa: B023
        eventually(lambda: Watch.objects.exclude(alive_at=None).count() == 2)
        client.streams[CONFIG_MAP.key].told.put(Event("BOOKMARK", thing("", 170, handle="")))
        eventually(client.streams[CONFIG_MAP.key].told.empty)
        stop.set()
        thread.join(30)
        assert not thread.is_alive()
    assert client.lists.count(CONFIG_MAP.key) == 1
