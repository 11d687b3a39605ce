"""A service's log on Kubernetes: its pods' lines and the cluster's warnings, only of that service."""

import datetime

import pytest

from portal.clusters.backends.base import EVENT
from portal.clusters.backends.kubernetes import logs
from portal.clusters.backends.kubernetes.client import Refused, Silent
from portal.clusters.models import Cluster
from portal.core.errors import TemporaryError
from tests.clusters.kubernetes.conftest import HANDLE
from tests.clusters.kubernetes.played import PlayedPods, pod

EVENTS = "/api/v1/namespaces/prj-1/events"
NOON = datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC)


def tail(cluster: Cluster, *, limit: int = 100, since: datetime.datetime | None = None,
         until: datetime.datetime | None = None) -> list[tuple[str, str]]:  # fmt: skip
    lines = logs.tail(cluster.id, HANDLE, since=since, until=until, limit=limit)
    return [(line.source, line.text) for line in lines]


@pytest.fixture(autouse=True)
def no_events(played: PlayedPods) -> None:
    played.answers[EVENTS] = {"items": []}


def test_lines_of_all_pods_come_in_the_order_of_their_times(cluster: Cluster, played: PlayedPods) -> None:
    played.pods[f"app={HANDLE}"] = [pod("p-1", "engine", "exporter"), pod("p-2", "engine")]
    played.logs["p-1/engine"] = "2026-11-25T12:00:01.123456789Z one\n2026-11-25T12:00:03Z \x1b[31mthree\x1b[0m\n"
    played.logs["p-2/engine"] = "2026-11-25T12:00:02+00:00 two\n"
    assert tail(cluster) == [("p-1/engine", "one"), ("p-2/engine", "two"), ("p-1/engine", "three")]
    assert tail(cluster, limit=1) == [("p-1/engine", "three")]
    assert tail(cluster, until=NOON + datetime.timedelta(seconds=2)) == [("p-1/engine", "one"), ("p-2/engine", "two")]
    asked = [query for path, query in played.asked if path.endswith("/log")]
    assert asked[0] == {"timestamps": "true", "limitBytes": "4194304", "tailLines": "100", "container": "engine"}
    tail(cluster, since=NOON)
    assert played.asked[-2][1]["sinceTime"] == "2026-11-25T12:00:00Z"


def test_of_a_container_that_crashes_again_and_again_the_last_words_are_shown(
    cluster: Cluster, played: PlayedPods
) -> None:
    states = [
        {"name": "engine", "restartCount": 4, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
        {"name": "exporter", "restartCount": 0, "state": {"waiting": {"reason": "ContainerCreating"}}},
    ]
    played.pods[f"app={HANDLE}"] = [pod("p-1", "engine", "exporter", containerStatuses=states)]
    played.logs["p-1/engine"] = Refused(400, "BadRequest", "container is waiting to start")
    played.logs["p-1/engine/previous"] = "2026-11-25T12:00:01Z FATAL: no room\n"
    assert tail(cluster) == [("p-1/engine", "FATAL: no room")]
    assert len([1 for path, _query in played.asked if path.endswith("/log")]) == 3


def test_lines_in_json_are_put_into_words_and_others_left_as_they_are() -> None:
    record = '{"level":"info","logger":"postgres","msg":"record","record":{"error_severity":"LOG","message":"ready"}}'
    assert logs.readable(record) == "LOG ready"
    assert logs.readable('{"level":"error","msg":"no","error":"disk full"}') == "ERROR no disk full"
    for text in ('{"a": 1}', "{no json", "plain", '{"msg": 3}', "[1]"):
        assert logs.readable(text) == text


def test_warnings_are_those_about_this_service_alone(cluster: Cluster, played: PlayedPods) -> None:
    def event(name: str, message: str, **more: object) -> dict[str, object]:
        about = {"kind": "Pod", "name": name}
        return {
            "metadata": {},
            "type": "Warning",
            "reason": "Failed",
            "message": message,
            "involvedObject": about,
            **more,
        }

    played.answers[EVENTS] = {
        "items": [
            event(f"{HANDLE}-1", "no\nroom", count=3, lastTimestamp="2026-11-25T12:00:05Z"),
            event(f"data-valkey-{HANDLE}-0", "early", eventTime="2026-11-25T12:00:01.000001Z"),
            event(f"x{HANDLE}", "another's", eventTime="2026-11-25T12:00:02Z"),
        ]
    }
    assert tail(cluster, limit=1) == [
        (EVENT, f"WARNING Failed: early [Pod data-valkey-{HANDLE}-0]"),
        (EVENT, f"WARNING Failed: no room [Pod {HANDLE}-1] (×3)"),
    ]
    assert (EVENTS, {"fieldSelector": "type=Warning", "limit": "500"}) in played.asked


def test_what_can_not_be_read_is_said_and_what_was_never_made_is_empty(cluster: Cluster, played: PlayedPods) -> None:
    played.trouble = Refused(403, "Forbidden", "archipel may not list pods in prj-1")
    with pytest.raises(TemporaryError, match="operator can allow it") as caught:
        tail(cluster)
    assert "prj-1" not in str(caught.value)
    played.trouble = Silent("refused")
    with pytest.raises(TemporaryError, match="does not answer"):
        tail(cluster)
    assert logs.tail(cluster.id, "zzzz", since=None, until=None, limit=10) == []
