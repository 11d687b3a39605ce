"""The client: what it asks, what it makes of answers and of silence. Against a double; see also ``tests/cluster``."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.clusters.backends.kubernetes import transport
from portal.clusters.backends.kubernetes.client import (
    NOT_SERVED,
    Access,
    Busy,
    Client,
    Conflict,
    Expired,
    Refused,
    Silent,
    Stale,
)
from portal.core.drivers.kubernetes import CONFIG_MAP, SECRET, Manifest, ObjectKind
from tests.clusters.kubernetes.double import TOKEN, Asked, Double, Reply, certificate, deaf, running, status

CLUSTER = ObjectKind("postgresql.cnpg.io", "v1", "Cluster", "clusters")


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with running(tmp_path) as found:
        yield found


@pytest.fixture
def client(double: Double) -> Iterator[Client]:
    made = Client(double.access)
    yield made
    made.close()


def a_map(**data: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one", "namespace": "here"}, "data": data}


def test_it_applies_with_one_manager_strictly_and_by_force_only_where_told(double: Double, client: Client) -> None:
    double.on({"PATCH": Reply(body=a_map())})
    client.apply(CONFIG_MAP, a_map(a="1"), force=True)
    client.apply(CLUSTER, a_map(a="1"), force=False, dry_run=True)
    first, second = double.asked
    path = "/api/v1/namespaces/here/configmaps/one?fieldManager=archipel&fieldValidation=Strict&force="
    assert first.path == path + "true"
    assert second.path.startswith("/apis/postgresql.cnpg.io/v1/namespaces/here/clusters/one?")
    assert second.path.endswith("force=false&dryRun=All")
    assert first.headers["Content-Type"] == "application/apply-patch+yaml"
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert first.body == a_map(a="1")


def test_names_can_not_leave_their_place_in_a_path(double: Double, client: Client) -> None:
    double.on({"GET": status(404, "NotFound", name="x")})
    client.get(CONFIG_MAP, "../kube-system", "a/b?c")
    assert double.asked[0].path == "/api/v1/namespaces/..%2Fkube-system/configmaps/a%2Fb%3Fc"


def test_an_object_that_is_not_there_is_none_and_a_kind_that_is_not_served_is_refused(
    double: Double, client: Client
) -> None:
    double.on({"GET /api/v1": status(404, "NotFound", name="one", kind="configmaps")})
    assert client.get(CONFIG_MAP, "here", "one") is None
    with pytest.raises(Refused) as refused:
        client.get(CLUSTER, "here", "one")
    assert (refused.value.status, refused.value.reason) == (404, NOT_SERVED)


def test_it_lists_page_by_page_and_says_what_each_item_is(double: Double, client: Client) -> None:
    def answer(asked: Asked) -> Reply:
        more = "continue=more" in asked.path
        metadata = {"resourceVersion": "7", **({} if more else {"continue": "more"})}
        return Reply(body={"metadata": metadata, "items": [{"metadata": {"name": "b" if more else "a"}}]})

    double.answer = answer
    items, version = client.list(SECRET, namespace="here", selector="a=b", metadata_only=True)
    assert [(item["metadata"]["name"], item["kind"], item["apiVersion"]) for item in items] == [
        ("a", "Secret", "v1"),
        ("b", "Secret", "v1"),
    ]
    assert version == "7"
    assert "PartialObjectMetadataList" in double.asked[0].headers["Accept"]
    assert "labelSelector=a%3Db" in double.asked[1].path


def test_a_list_whose_page_has_expired_begins_once_more(double: Double, client: Client) -> None:
    expired = [True]

    def answer(asked: Asked) -> Reply:
        if "continue" not in asked.path:
            return Reply(body={"metadata": {"resourceVersion": "7", "continue": "more"}, "items": []})
        if expired.pop() if expired else False:
            return status(410, "Expired")
        return Reply(body={"metadata": {"resourceVersion": "8"}, "items": []})

    double.answer = answer
    assert client.list(CONFIG_MAP) == ([], "8")
    double.answer = lambda _asked: status(410, "Expired")
    with pytest.raises(Busy):
        client.list(CONFIG_MAP)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (status(409, "Conflict", causes=[{"reason": "FieldManagerConflict", "field": ".data.a"}]), Conflict),
        (status(409, "AlreadyExists"), Conflict),
        (status(409, "Conflict", "the object has been modified"), Stale),
        (Reply(409, "busy"), Stale),
        (status(422, "Invalid"), Refused),
        (status(403, "Forbidden", "exceeded quota"), Refused),
        (status(404, "NotFound", 'namespaces "here" not found', name="here", kind="namespaces"), Refused),
        (status(429, "TooManyRequests"), Busy),
        (status(500, "InternalError", "failed calling webhook"), Busy),
        (status(500, "", "failed to create typed patch object: .dat: field not declared in schema"), Refused),
        (Reply(503, "no backend"), Silent),
        (Reply(302, "", {"Location": "https://127.0.0.1:1/"}), Silent),
        (status(401, "Unauthorized"), Silent),
        (status(410, "Expired"), Expired),
        (Reply(200, "hello"), Silent),
    ],
)
def test_each_refusal_is_an_error_of_its_own(
    double: Double, client: Client, reply: Reply, error: type[Exception]
) -> None:
    double.answer = lambda _asked: reply
    with pytest.raises(error) as raised:
        client.apply(CONFIG_MAP, a_map(password="canary"), force=False)
    assert type(raised.value) is error
    assert "canary" not in f"{raised.value!r} {raised.value.__dict__}"
    assert len(double.asked) == 1  # no redirect, no try of its own


def test_a_refusal_carries_its_causes_and_a_busy_server_its_pause(double: Double, client: Client) -> None:
    cause = {"reason": "FieldManagerConflict", "message": "conflict with kubectl", "field": ".data.a"}
    double.answer = lambda _asked: status(409, "Conflict", "Apply failed", causes=[cause])
    with pytest.raises(Conflict) as conflict:
        client.apply(CONFIG_MAP, a_map(), force=False)
    assert conflict.value.causes[0].field == ".data.a"
    double.answer = lambda _asked: Reply(429, {"kind": "Status"}, {"Retry-After": "3"})
    with pytest.raises(Busy) as busy:
        client.json("/version")
    assert busy.value.retry_after == 3


def test_it_deletes_only_the_object_it_means(double: Double, client: Client) -> None:
    double.answer = lambda _asked: Reply(body={"kind": "Status", "status": "Success"})
    assert client.delete(CONFIG_MAP, "here", "one", uid="u") is True
    assert double.asked[0].body["preconditions"] == {"uid": "u"}
    double.answer = lambda _asked: status(409, "Conflict", "Precondition failed: UID in precondition: u")
    assert client.delete(CONFIG_MAP, "here", "one", uid="u") is False
    double.answer = lambda _asked: status(404, "NotFound", name="one")
    assert client.delete(CONFIG_MAP, "here", "one") is False
    double.answer = lambda _asked: status(409, "Conflict", "storage is busy")
    with pytest.raises(Stale):
        client.delete(CONFIG_MAP, "here", "one", uid="u")


def test_a_connection_that_was_closed_meanwhile_is_no_silence(double: Double, client: Client) -> None:
    cuts = [Reply(cut=True)]
    double.answer = lambda _asked: cuts.pop() if cuts else Reply(body={"gitVersion": "v1"})
    assert client.json("/version") == {"gitVersion": "v1"}
    double.answer = lambda _asked: Reply(cut=True)
    with pytest.raises(Silent):
        client.json("/version")


def test_a_server_that_is_not_there_not_ours_or_deaf_is_silent(
    double: Double, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.2)
    with deaf() as address, running(tmp_path) as stranger:
        wrong = Access(stranger.access.server, double.access.authority, token=TOKEN)
        told: list[str] = []
        for access in (Access("https://127.0.0.1:1", token=TOKEN), Access(address, token=TOKEN), wrong):
            begun = time.monotonic()
            client = Client(access)
            with pytest.raises(Silent) as silent:
                client.get(CONFIG_MAP, "here", "one")
            client.close()
            told.append(silent.value.trouble)
            assert time.monotonic() - begun < 2
        assert stranger.asked == []
    refused, mute, unknown = told
    assert "refused" in refused
    assert "timed out" in mute
    assert "certificate verify failed" in unknown
    assert TOKEN not in " ".join(told)


def test_one_slow_answer_is_no_silence_but_all_slow_ones_are(
    double: Double, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HURRIED_SECONDS", 0.2)
    client._seconds = 0.2
    double.on({"GET /version": Reply(body={}), "GET": Reply(held=double.stopping)})
    with pytest.raises(Busy):
        client.get(CONFIG_MAP, "here", "one")
    double.on({"GET": Reply(held=double.stopping)})
    with pytest.raises(Silent) as silent:
        client.get(CONFIG_MAP, "here", "one")
    assert type(silent.value) is Silent
    double.stopping.set()


def test_a_watch_tells_events_as_they_come_and_ends_when_closed(double: Double, client: Client) -> None:
    go_on = threading.Event()
    lines = ({"type": "ADDED", "object": a_map()}, go_on, {"type": "BOOKMARK", "object": a_map()}, double.stopping)
    double.answer = lambda _asked: Reply(lines=lines)
    stream = client.watch(SECRET, resource_version="5", selector="a=b", metadata_only=True)
    events = iter(stream)
    first = next(events)
    assert (first.type, first.object["kind"]) == ("ADDED", "Secret")
    go_on.set()
    assert next(events).type == "BOOKMARK"
    threading.Timer(0.1, stream.close).start()
    assert list(events) == []
    asked = double.asked[0]
    assert "resourceVersion=5" in asked.path
    assert "allowWatchBookmarks=true" in asked.path
    assert "labelSelector=a%3Db" in asked.path
    double.stopping.set()


def test_a_watch_that_is_too_old_says_so_at_once_or_later(double: Double, client: Client) -> None:
    double.answer = lambda _asked: status(410, "Expired")
    with pytest.raises(Expired):
        client.watch(CONFIG_MAP, resource_version="5")
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
    double.answer = lambda _asked: Reply(lines=({"type": "ADDED", "object": a_map()}, error))
    told = iter(client.watch(CONFIG_MAP, resource_version="5"))
    assert next(told).type == "ADDED"
    with pytest.raises(Expired):
        next(told)


def test_a_watch_that_is_cut_off_is_silence(double: Double, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from portal.clusters.backends.kubernetes import client as module

    monkeypatch.setattr(module, "WATCH_SECONDS", 0.2)
    double.answer = lambda _asked: Reply(lines=({"type": "ADDED", "object": a_map()}, double.stopping))
    told = iter(client.watch(CONFIG_MAP, resource_version="5"))
    next(told)
    with pytest.raises(Silent):
        next(told)
    double.stopping.set()


def test_text_is_given_as_it_is(double: Double, client: Client) -> None:
    double.on({"GET /api/v1/namespaces/here/pods/p/log?tailLines=2": Reply(body="one\ntwo\n")})
    assert client.text("/api/v1/namespaces/here/pods/p/log", {"tailLines": "2"}) == "one\ntwo\n"
    with pytest.raises(Refused):
        client.text("/api/v1/namespaces/here/pods/q/log", {})


def test_no_log_line_holds_a_credential_or_what_was_sent(
    double: Double, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = {**a_map(), "kind": "Secret", "stringData": {"password": "canary-in-a-secret"}}
    double.answer = lambda _asked: Reply(body=secret)
    client.apply(SECRET, secret, force=True)
    double.answer = lambda _asked: status(422, "Invalid", "no")
    with pytest.raises(Refused):
        client.create(SECRET, secret)
    assert caplog.records
    assert TOKEN not in caplog.text
    assert "canary-in-a-secret" not in caplog.text


def test_a_client_certificate_is_shown_and_lies_on_no_disk(tmp_path: Path) -> None:
    pem, both = certificate()
    with running(tmp_path, trusts=pem) as double:
        double.on({"GET": Reply(body={"gitVersion": "v1"})})
        server = double.access
        client = Client(Access(server.server, server.authority, certificate=pem, key=both.removeprefix(pem)))
        assert client.json("/version") == {"gitVersion": "v1"}
        assert "Authorization" not in double.asked[0].headers
        client.close()
        stranger = Client(Access(server.server, server.authority, token="t"))
        with pytest.raises(Silent):
            stranger.json("/version")
        stranger.close()
    assert len(double.asked) == 1
