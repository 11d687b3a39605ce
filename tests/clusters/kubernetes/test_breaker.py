"""A cluster that does not answer is left alone by every process, and taken back at its first answer."""

import datetime
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import timezone

from portal.clusters.backends.kubernetes import breaker, clients, kubeconfig
from portal.clusters.backends.kubernetes.breaker import Breaker, pause
from portal.clusters.backends.kubernetes.client import Access, Busy, Refused, Silent
from portal.clusters.models import Cluster, Region
from portal.core import vault
from portal.core.errors import PermanentError, TemporaryError
from tests.clusters.kubernetes.double import Double, Reply, running, status

pytestmark = pytest.mark.django_db
SECOND = datetime.timedelta(seconds=1)


@pytest.fixture(autouse=True)
def no_wait_between_looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(breaker, "LOOK", -1.0)
    monkeypatch.setattr(clients, "LOOK", -1.0)
    yield
    for cluster_id in list(clients._held):
        clients.forget(cluster_id)


@pytest.fixture
def cluster(db: None) -> Cluster:
    region = Region.objects.create(slug="eu", name="Europe")
    return Cluster.objects.create(region=region, name="eu-1", kind="kubernetes")


def ask(gate: Breaker, error: Exception | None = None) -> None:
    with gate.asking():
        if error is not None:
            raise error


def silence(gate: Breaker) -> None:
    with pytest.raises(Silent):
        ask(gate, Silent("refused"))


def pass_time(cluster: Cluster, by: datetime.timedelta) -> None:
    """Have everything that the row says happened that much earlier."""
    cluster.refresh_from_db()
    assert cluster.silent_since is not None
    assert cluster.retry_at is not None
    Cluster.objects.update(silent_since=cluster.silent_since - by, retry_at=cluster.retry_at - by)


def test_one_silence_is_told_to_every_process_and_the_first_answer_ends_it(cluster: Cluster) -> None:
    one, other = Breaker(cluster.id), Breaker(cluster.id)
    ask(other)
    silence(one)
    cluster.refresh_from_db()
    assert cluster.trouble == "refused"
    reached: list[str] = []
    for gate in (one, other):
        with pytest.raises(Silent), gate.asking():
            reached.append("a request")
    assert reached == []
    pass_time(cluster, 6 * SECOND)
    ask(one)
    cluster.refresh_from_db()
    assert (cluster.silent_since, cluster.retry_at, cluster.trouble) == (None, None, "")
    ask(other)


def test_only_one_process_makes_the_next_try(cluster: Cluster) -> None:
    one, other = Breaker(cluster.id), Breaker(cluster.id)
    silence(one)
    pass_time(cluster, 6 * SECOND)
    with one.asking(), pytest.raises(Silent):
        ask(other)
    ask(other)


def test_the_pauses_grow_to_a_minute(cluster: Cluster) -> None:
    assert [pause(n * SECOND).total_seconds() for n in (0, 5, 10, 20, 40, 80, 4000)] == [5, 5, 10, 20, 40, 60, 60]
    gate = Breaker(cluster.id)
    silence(gate)
    pass_time(cluster, 20 * SECOND)
    silence(gate)
    cluster.refresh_from_db()
    assert cluster.retry_at is not None
    assert 19 < (cluster.retry_at - timezone.now()).total_seconds() < 22


@pytest.mark.parametrize("error", [Busy("429"), Refused(422, "Invalid", "no"), TemporaryError("changed meanwhile")])
def test_a_no_is_an_answer(cluster: Cluster, error: Exception) -> None:
    gate = Breaker(cluster.id)
    silence(gate)
    pass_time(cluster, 6 * SECOND)
    with pytest.raises(type(error)):
        ask(gate, error)
    assert Cluster.objects.get().silent_since is None


def test_a_bug_of_ours_says_nothing_of_the_cluster(cluster: Cluster) -> None:
    gate = Breaker(cluster.id)
    with pytest.raises(KeyError):
        ask(gate, KeyError("x"))
    assert Cluster.objects.get().silent_since is None


def test_a_process_makes_only_so_many_requests_at_once_and_watches_do_not_count(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "PATIENCE", 0.01)
    gate = Breaker(cluster.id)
    held, done = threading.Barrier(breaker.AT_ONCE + 1), threading.Event()
    monkeypatch.setattr(gate, "_admit", lambda: None)  # threads have connections to the database of their own

    def hold() -> None:
        with gate.asking():
            held.wait(5)
            done.wait(5)

    threads = [threading.Thread(target=hold) for _ in range(breaker.AT_ONCE)]
    for thread in threads:
        thread.start()
    held.wait(5)
    with pytest.raises(Busy):
        ask(gate)
    with gate.watching():
        pass
    done.set()
    for thread in threads:
        thread.join()
    ask(gate)


@pytest.fixture
def double(tmp_path: Path) -> Iterator[Double]:
    with running(tmp_path) as found:
        found.on({"GET /version": Reply(body={"gitVersion": "v1.36.3"})})
        yield found


def seal(cluster: Cluster, access: Access) -> None:
    Cluster.objects.filter(id=cluster.id).update(kubeconfig=vault.seal(kubeconfig.written(access)))


def test_a_process_has_one_client_until_the_kubeconfig_is_another(cluster: Cluster, double: Double) -> None:
    seal(cluster, double.access)
    first = clients.client_of(cluster)
    assert clients.client_of(cluster.id) is first
    assert first.json("/version") == {"gitVersion": "v1.36.3"}
    seal(cluster, double.access)  # the same, sealed anew
    second = clients.client_of(cluster)
    assert second is not first
    assert second.json("/version") == {"gitVersion": "v1.36.3"}
    second.close()


def test_a_dead_cluster_costs_one_try_and_comes_back_by_itself(cluster: Cluster, double: Double) -> None:
    seal(cluster, Access("https://127.0.0.1:1", double.access.authority, token="t"))
    for _ in range(3):
        with pytest.raises(Silent):
            clients.client_of(cluster).json("/version")
    cluster.refresh_from_db()
    assert "refused" in cluster.trouble
    seal(cluster, double.access)
    with pytest.raises(Silent):
        clients.client_of(cluster).json("/version")
    assert double.asked == []
    pass_time(cluster, 6 * SECOND)
    assert clients.client_of(cluster).json("/version")
    assert Cluster.objects.get().silent_since is None


def test_credentials_that_are_not_taken_any_more_are_silence_and_not_a_refusal(
    cluster: Cluster, double: Double
) -> None:
    seal(cluster, double.access)
    double.answer = lambda _asked: status(401, "Unauthorized")
    with pytest.raises(Silent):
        clients.client_of(cluster).json("/version")
    assert "credentials" in Cluster.objects.get().trouble


@pytest.mark.parametrize(("sealed", "error"), [("", PermanentError), ("v1.xx", TemporaryError), (None, TemporaryError)])
def test_a_kubeconfig_that_can_not_be_opened_is_said(
    cluster: Cluster, sealed: str | None, error: type[Exception]
) -> None:
    Cluster.objects.update(kubeconfig=vault.seal("a: b") if sealed is None else sealed)
    with pytest.raises(error):
        clients.client_of(cluster)
    with pytest.raises(PermanentError):
        clients.client_of(uuid.uuid4())
