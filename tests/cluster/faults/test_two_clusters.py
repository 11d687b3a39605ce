"""One cluster is dead from the start, or dies in the middle: the orders of the other one do not wait for it."""

import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from portal.clusters.models import Cluster, Region
from portal.core import vault
from portal.resources.models import Operation, Resource
from tests.cluster.faults.proxy import Faults, Proxy, serving
from tests.cluster.faults.site import Site
from tests.cluster.faults.wire import Wire, at_once
from tests.cluster.faults.workers import WORKERS, Done, work

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
ORDERS = 12  # in each of the clusters
LATEST = 90.0  # seconds
LONG = 1.0  # seconds that a request is waited for
REQUESTS_OF_A_WAIT = 2  # the request itself, and the look whether the cluster answers another one
Tell = Callable[[str], None]


@contextmanager
def nobody() -> Iterator[int]:
    """A port that refuses connections: it is taken, and nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def deaf() -> Iterator[int]:
    """A port where connections are taken and nothing is ever answered."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(256)
        yield listener.getsockname()[1]


def beside(site: Site, port: int) -> Cluster:
    """Return a second cluster, in a region of its own."""
    region = Region.objects.create(slug="beside", name="Beside")
    sealed = vault.seal(site.control_plane.kubeconfig(server=f"https://127.0.0.1:{port}"))
    return Cluster.objects.create(region=region, name="beside", kind=Cluster.Kind.KUBERNETES, kubeconfig=sealed)


def seconds(ended: Callable[[], list[Done]], rows: list[Resource]) -> tuple[list[float], list[Done]]:
    """Return how long each order took, by its operation's own times, and what the workers did."""
    done = ended()
    operations = Operation.objects.filter(resource__in=rows, type="create")
    return sorted((one.finished_at - one.created_at).total_seconds() for one in operations if one.finished_at), done


def told(what: str, living: list[float], done: list[Done], port: int) -> str:
    waits = sorted((wait.seconds for one in done for wait in one.waits.get(port, ())), reverse=True)
    slowest = ", ".join(f"{wait:.1f}" for wait in waits[:4])
    return (
        f"{what}: orders of the living cluster: median {statistics.median(living):.2f} s, slowest {living[-1]:.2f} s; "
        f"{len(waits)} requests to the other, the longest {slowest or 'none'} s"
    )


def ordered(
    site: Site, wire: Wire, between: Callable[[int], None] = lambda number: None
) -> tuple[list[float], list[Done]]:
    """Order in the site's own cluster, with something in between, and have it worked off by processes like a portal's.

    Return how long each order took, and what the workers did. They are started first: no thread is forked.
    """
    mark = Operation.objects.count()
    mine = Resource.objects.filter(cluster=site.cluster)
    before = mine.count()
    running = work(lambda: mine.filter(state="running").count() == before + ORDERS, wire)
    rows = []
    for number in range(ORDERS):
        between(number)
        rows.append(site.order(f"box-{mark}-{number}"))
    return seconds(running.ended, rows)


@pytest.mark.parametrize("death", [nobody, deaf])
def test_one_that_is_dead_from_the_start(site: Site, wire: Wire, tell: Tell, death: Callable[[], Any]) -> None:
    tell(told("alone", *ordered(site, wire), 0))
    with death() as port:
        dead = beside(site, port)
        found, done = ordered(site, wire, lambda number: lose(site, number))
    tell(told(f"beside {death.__name__}", found, done, port))
    see_few_waits(dead, done, port)


@pytest.mark.parametrize("death", [Proxy.die, Proxy.fall_silent])
def test_one_that_dies_in_the_middle(
    site: Site, wire: Wire, tell: Tell, death: Callable[[Proxy], None], eventually: Callable[..., Any]
) -> None:
    tell(told("alone", *ordered(site, wire), 0))
    proxy = Proxy(site.control_plane, Faults.none())
    dying = beside(site, proxy.port)
    theirs = Resource.objects.filter(cluster=dying)

    def strike(number: int) -> None:
        if number == 0:
            serve.enter_context(serving(proxy))
        lose(site, number)
        if number == ORDERS // 2:
            eventually(lambda: theirs.filter(state="running").count() >= 2, within=LATEST)
            death(proxy)

    with ExitStack() as serve:
        found, done = ordered(site, wire, strike)
    tell(told(f"beside one that is told to {death.__name__}", found, done, proxy.port))
    see_few_waits(dying, done, proxy.port)


def lose(site: Site, number: int) -> None:
    """Order in the other cluster."""
    site.order(f"lost-{number}", region="beside")


def see_few_waits(dead: Cluster, done: list[Done], port: int) -> None:
    """See that a worker was free all the time, and that once the silence is noted orders are put off unasked."""
    assert Cluster.objects.get(id=dead.id).silent_since
    waits = [[wait for wait in one.waits.get(port, ()) if wait.seconds > LONG] for one in done]
    assert at_once(wait for of_one in waits for wait in of_one) < WORKERS, "all of them waited for the dead one"
    assert max(map(len, waits)) <= REQUESTS_OF_A_WAIT, "one waited again and again"
    asked = sum(bool(one.waits.get(port)) for one in done)
    assert Resource.objects.filter(cluster=dead, failures__gt=0).count() > asked, "none was put off without a request"
