"""What probes and scrapers are told."""

from collections.abc import Callable

import pytest
from django.core.cache import cache
from django.test import Client

from portal.core.cache import ForgivingCache
from portal.instance import readiness, tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have readiness look at these parts alone."""

    def choose(**checks: Callable[[], str]) -> None:
        monkeypatch.setattr(readiness, "_checks", lambda: checks)

    return choose


def test_a_process_that_answers_is_alive(client: Client) -> None:
    assert client.get("/healthz").content == b"ok\n"


def test_it_is_ready_when_every_part_answers(client: Client, only: Callable[..., None]) -> None:
    only(database=lambda: "", broker=lambda: "")

    response = client.get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"ready": True, "parts": {"database": "ok", "broker": "ok"}}
    assert "no-cache" in response["Cache-Control"]


def test_a_part_that_fails_is_named_without_its_message(client: Client, only: Callable[..., None]) -> None:
    def broken() -> str:
        raise ConnectionError("secret.example:6379")

    only(database=lambda: "", broker=broken)

    response = client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"ready": False, "parts": {"database": "ok", "broker": "ConnectionError"}}


def test_database_and_broker_are_really_asked() -> None:
    assert readiness._database() == ""
    assert readiness._broker() == ""


def test_beats_heartbeat_proves_beat_and_worker_and_a_workers_own_only_the_worker() -> None:
    cache.delete_many([tasks.WORKER, tasks.BEAT])

    tasks.heartbeat("worker")
    assert readiness._worker() == ""
    assert readiness._beat() == "no heartbeat yet"

    tasks.heartbeat()
    assert readiness._beat() == ""


def test_an_old_heartbeat_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set(tasks.WORKER, 1_000_000.0)
    monkeypatch.setattr("portal.instance.readiness.time.time", lambda: 1_000_000.0 + readiness.FRESH + 1)

    assert readiness._worker() == "last heartbeat 21 s ago"


def test_a_heartbeat_from_before_the_clock_was_set_back_counts_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.set(tasks.WORKER, 1_000_000.0)
    monkeypatch.setattr("portal.instance.readiness.time.time", lambda: 1_000_000.0 - 1)
    assert readiness._worker() == ""

    monkeypatch.setattr("portal.instance.readiness.time.time", lambda: 1_000_000.0 - 3600)
    assert readiness._worker() == "last heartbeat -3600 s ago"


def test_metrics_tell_queue_depth_and_parts(client: Client, only: Callable[..., None]) -> None:
    only(broker=lambda: "gone")

    text = client.get("/metrics").content.decode()

    assert 'archipel_queue_depth{queue="celery"}' in text
    assert 'archipel_part_up{part="broker"} 0.0' in text


def test_probes_are_only_read(client: Client) -> None:
    assert [client.post(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [405, 405, 405]


def test_a_cache_that_is_away_is_an_empty_one() -> None:
    away = ForgivingCache("unix:///nonexistent/broker.sock", {"OPTIONS": {"socket_connect_timeout": 1}})

    away.set("key", 1)
    assert away.get("key", "otherwise") == "otherwise"
    assert away.get_many(["key"]) == {}
    assert away.set_many({"key": 1}) == []
    assert away.get_or_set("key", 2) == 2
    assert away.add("key", 1) is False
    assert "key" not in away
    assert away.delete("key") is False
    with pytest.raises(ValueError, match="does not answer"):
        away.incr("key")
    away.clear()
