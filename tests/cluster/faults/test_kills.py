"""A worker is killed -9 anywhere between two writes: nothing is doubled, lost or orphaned, and the next goes on."""

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from portal.clusters.backends.kubernetes import groundwork
from portal.core.errors import Problem
from portal.resources.models import Resource
from tests.cluster.faults.site import Memory, Site, check, let_time_pass, now, settle, turn, wished
from tests.cluster.faults.struck import is_request, worker

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
KILLS = 2  # of each wish at most
FURTHEST, FURTHEST_REQUEST = 60, 8  # the point at which a worker is killed, at most: a wish has about as many
LONG_WAY = 24  # of requests, where a namespace is made first, or a service has many objects
ENOUGH = 200  # workers killed with ``--full``
OF_TOYS = ("greet", "add_user", "drop_user", "stop", "start")
OF_POSTGRESQL = ("pool", "add_user", "add_database", "drop_user", "resize", "stop", "start")
GROUNDWORK = {kind.plural for kind in groundwork.KINDS}
Tell = Callable[[str], None]


class Life:
    """One service's life by a seed: ordered, changed, deleted, and its workers killed all the while."""

    def __init__(self, site: Site, seed: int, struck: Counter[str], offerings: tuple[str, ...]) -> None:
        self.site, self.seed, self.struck = site, seed, struck
        self.random, self.memory = random.Random(seed), Memory()
        offering = offerings[seed % len(offerings)]
        self.ways = (FURTHEST_REQUEST,) if offering == "toy" else (FURTHEST_REQUEST, LONG_WAY)
        self.acts = OF_POSTGRESQL if offering == "postgresql" else OF_TOYS
        self.row: Resource = site.order(f"box-{seed}", offering=offering)

    def live(self) -> None:
        self.work("order")
        for number in range(2):
            act = self.random.choice(self.acts)
            self.ask(act, number)
            if self.random.random() < 0.3:  # the next wish comes before this one is fulfilled
                self.strike()
                continue
            self.work(act)
        if not now(self.row).running:
            self.ask("start", 0)
        self.work("at rest")
        self.site.delete(now(self.row))
        self.work("delete")
        assert now(self.row).purged_at is not None

    def ask(self, act: str, number: int) -> None:
        """Ask for something, where the service is in a state to be asked."""
        named = {"greet": f"hello {number}", "add_user": f"user-{number}", "add_database": f"data-{number}"}
        named |= {"pool": ("transaction", "none")[number % 2]}
        words = (named[act],) if act in named else ()
        try:
            getattr(self.site, act)(now(self.row), *words)
        except (Problem, self.row.children.model.DoesNotExist):
            return

    def work(self, what: str) -> None:
        """Have workers fulfil the wish: some are killed, the last is not."""
        for _ in range(self.random.randint(1, KILLS)):
            if not self.strike():
                break
        worker(lambda: settle(self.row))
        check(self.site, self.row, self.memory, f"seed {self.seed}, after {what}, killed at {self.killed_at}")

    def strike(self) -> bool:
        """Let a worker work until it is killed; return whether it was."""
        at_request = self.random.random() < 0.6
        at = self.random.randint(1, self.random.choice(self.ways) if at_request else FURTHEST)
        died, points = worker(lambda: settle(self.row), at, only_requests=at_request)
        self.memory.meet(self.site.objects(self.row))
        if died:
            self.killed_at = points[-1]
            self.struck[points[-1]] += 1
            let_time_pass(self.row)
        return died

    killed_at = "no point"


def lives(site: Site, seeds: Iterable[int], tell: Tell, *offerings: str, enough: int = ENOUGH) -> set[str]:
    """Live until enough workers were killed, or seeds are used up. Return at which requests: ``POST secrets`` …"""
    struck: Counter[str] = Counter()
    number = 0
    for seed in seeds:
        Life(site, seed, struck, offerings).live()
        number += 1
        if struck.total() >= enough:
            break
    at = Counter({name: times for name, times in struck.items() if is_request(name)})
    told = ", ".join(f"{times} {name}" for name, times in at.most_common())
    tell(f"{number} lives, {struck.total()} workers killed, {at.total()} of them at requests: {told}")
    assert at.total() >= number, "the kills do not meet the requests"
    return {name.partition(" ")[2] for name in at}


def test_a_worker_that_is_killed_between_apply_and_row_leaves_nothing_doubled_lost_or_orphaned(
    site: Site, tell: Tell
) -> None:
    at = lives(site, range(20), tell, *["toy"] * 9, "lonely-toy")
    assert {"POST secrets", "PATCH configmaps", "REMOVE configmaps"} <= at


def test_the_same_with_postgresql(site: Site, played: None, tell: Tell) -> None:
    assert "PATCH clusters" in lives(site, range(3), tell, "postgresql")


@pytest.mark.full
def test_two_hundred_workers_are_killed(site: Site, tell: Tell) -> None:
    at = lives(site, itertools.count(1000), tell, "toy", "lonely-toy")
    assert {"POST secrets", "PATCH configmaps", "REMOVE configmaps", "REMOVE secrets", "REMOVE namespaces"} <= at
    missed = {f"PATCH {plural}" for plural in GROUNDWORK} - at
    assert len(missed) <= 1, "of all steps in which a namespace is made"


@pytest.mark.full
def test_two_hundred_workers_of_postgresql_are_killed(site: Site, played: None, tell: Tell) -> None:
    at = lives(site, itertools.count(1000), tell, "postgresql")
    assert {"POST secrets", "PATCH clusters", "PATCH databaseroles", "REMOVE clusters", "REMOVE secrets"} <= at


@pytest.mark.parametrize("point", range(2, 7))
def test_what_is_withdrawn_while_the_worker_lies_dead_is_not_left_behind(site: Site, point: int) -> None:
    """The next worker renders it no more: only what was written ahead says that it may be there."""
    row = settle(site.order("box"))
    site.add_user(row, "user-1")
    died, _ = worker(lambda: settle(row), point, only_requests=True)
    let_time_pass(row)
    child = row.children.get(name="user-1")
    row.children.filter(id=child.id).delete()  # withdrawn whole, as by an operator
    row.operations.open().delete()
    settle(turn(row))
    assert set(site.objects(row)) == wished(row), "an orphan"
    assert died is (point <= 4)
    site.delete(now(row))
    worker(lambda: settle(row), point, only_requests=True)
    let_time_pass(row)
    settle(row)
    assert site.objects(row) == {}
