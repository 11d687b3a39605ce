"""A worker is killed -9 anywhere between two writes: nothing is doubled, lost or orphaned, and the next goes on."""

import random
from collections import Counter
from collections.abc import Callable

import pytest

from portal.core.errors import Problem
from portal.resources.models import Resource
from tests.cluster.faults.site import Memory, Site, check, let_time_pass, now, settle, turn, wished
from tests.cluster.faults.struck import is_request, worker

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
KILLS = 2  # of each wish at most
FURTHEST, FURTHEST_REQUEST = 60, 8  # the point at which a worker is killed, at most: a wish has about as many
Tell = Callable[[str], None]


class Life:
    """One service's life by a seed: ordered, changed, deleted, and its workers killed all the while."""

    def __init__(self, site: Site, seed: int, struck: Counter[str]) -> None:
        self.site, self.seed, self.struck = site, seed, struck
        self.random, self.memory = random.Random(seed), Memory()
        self.row: Resource = site.order(f"box-{seed}")

    def live(self) -> None:
        self.work("order")
        for number in range(2):
            act = self.random.choice(["greet", "add_user", "drop_user", "stop", "start"])
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
        words = {"greet": (f"hello {number}",), "add_user": (f"user-{number}",)}.get(act, ())
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
        at = self.random.randint(1, FURTHEST_REQUEST if at_request else FURTHEST)
        died, points = worker(lambda: settle(self.row), at, only_requests=at_request)
        self.memory.meet(self.site.objects(self.row))
        if died:
            self.killed_at = points[-1]
            self.struck[points[-1]] += 1
            let_time_pass(self.row)
        return died

    killed_at = "no point"


def lives(site: Site, seeds: range, tell: Tell) -> None:
    struck: Counter[str] = Counter()
    for seed in seeds:
        Life(site, seed, struck).live()
    at = Counter({name: number for name, number in struck.items() if is_request(name)})
    tell(f"{len(seeds)} lives, {struck.total()} workers killed, {at.total()} of them at requests: {dict(at)}")
    assert at.total() >= len(seeds), "the kills do not meet the requests"


def test_a_worker_that_is_killed_between_apply_and_row_leaves_nothing_doubled_lost_or_orphaned(
    site: Site, tell: Tell
) -> None:
    lives(site, range(20), tell)


@pytest.mark.full
def test_two_hundred_lives(site: Site, tell: Tell) -> None:
    lives(site, range(1000, 1200), tell)


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
