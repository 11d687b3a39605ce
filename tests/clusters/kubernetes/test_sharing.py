"""One cluster never has all workers of a host wait for it; a worker that is killed leaves its place to the next."""

import os
import signal
import uuid

import pytest
from pytest_django import Settings

from portal.clusters.backends.kubernetes import sharing
from portal.clusters.backends.kubernetes.answers import Busy, Silent
from portal.clusters.backends.kubernetes.breaker import OpenGate
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.backends.kubernetes.kubeconfig import Access
from portal.clusters.backends.kubernetes.sharing import Sharing


@pytest.fixture(autouse=True)
def three_workers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WORKER_PROCESSES = 3
    monkeypatch.setattr(sharing, "PATIENCE", 0.05)


def test_the_last_worker_is_refused_until_another_has_its_answer() -> None:
    cluster = uuid.uuid4()
    first, second, third, other = (Sharing(cluster, OpenGate()) for _ in range(4))
    with first.asking():
        with second.asking():
            with pytest.raises(Busy), third.asking():
                pass
            with Sharing(uuid.uuid4(), OpenGate()).asking():
                """Another cluster's places are its own."""
        with third.asking():
            """It is let in at once, although it was refused just now."""
        with other.asking():
            pass


def test_one_worker_alone_may_ask(settings: Settings) -> None:
    settings.WORKER_PROCESSES = 1
    with Sharing(uuid.uuid4(), OpenGate()).asking():
        pass


def test_who_was_refused_waits_for_no_place_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, waited = uuid.uuid4(), []
    monkeypatch.setattr(sharing.time, "sleep", waited.append)
    third = Sharing(cluster, OpenGate())
    with Sharing(cluster, OpenGate()).asking(), Sharing(cluster, OpenGate()).asking():
        with pytest.raises(Busy), third.asking():
            pass
        assert waited
        waited.clear()
        with pytest.raises(Busy), third.asking():
            pass
    assert not waited


def test_a_killed_worker_holds_no_place(settings: Settings) -> None:
    settings.WORKER_PROCESSES = 2
    cluster = uuid.uuid4()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        with Sharing(cluster, OpenGate()).asking():
            os.write(writer, b"in")
            signal.pause()
    os.close(writer)
    assert os.read(reader, 2) == b"in"
    os.close(reader)
    with pytest.raises(Busy), Sharing(cluster, OpenGate()).asking():
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with Sharing(cluster, OpenGate()).asking():
        pass


def test_a_failure_is_passed_on_and_frees_the_place(settings: Settings) -> None:
    settings.WORKER_PROCESSES = 2
    cluster = uuid.uuid4()
    gate = Sharing(cluster, OpenGate())
    for _ in range(2):
        with pytest.raises(Silent), gate.asking():
            raise Silent("gone")


def test_reads_that_a_browser_waits_for_take_no_place(settings: Settings) -> None:
    settings.WORKER_PROCESSES = 2
    cluster = uuid.uuid4()
    client = Client(Access("https://127.0.0.1:1"))
    of_turns = client.through(Sharing(cluster, OpenGate()))
    with Sharing(cluster, OpenGate()).asking():
        with pytest.raises(Busy):
            of_turns.json("/version")
        with pytest.raises(Silent, match="again") as found:
            of_turns.hurried().json("/version")
        assert not isinstance(found.value, Busy)
    client.close()
