"""A trial: one seed on one island, from the first order to nothing left."""

import sys
import time
from collections.abc import Sequence
from itertools import cycle

from tests.chaos import faults
from tests.chaos.customer import Customer
from tests.chaos.faults import Driver
from tests.chaos.island import Island
from tests.chaos.judge import Judge
from tests.chaos.patient import PATIENCE, Patient
from tests.chaos.stores import POSTGRESQL, VALKEY, Store
from tests.journeys.instance import eventually

CUSTOMERS = "abc"
HEALED_WITHIN = 120.0  # seconds until everything answers again and customers get on


class Trial:
    """One seed on one island."""

    def __init__(self, island: Island, seed: int, count: int, stores: Sequence[Store] = (POSTGRESQL, VALKEY)) -> None:
        self.island, self.seed = island, seed
        self.plan = faults.plan(seed, count)
        self.driver, self.judge = Driver(island), Judge(island)
        self.api = Patient(island.url, island.token())
        self.customers = [
            Customer(self.api, store, f"c{seed}{letter}", str(seed), self.driver.excuse)
            for letter, store in zip(CUSTOMERS, cycle(stores), strict=False)
        ]
        self.times: list[float] = []

    def run(self) -> None:
        """Drive the plan, then let everything come to its end, judge, and delete all."""
        try:
            self._go_through()
        except BaseException as error:
            error.add_note(self._told())
            raise
        finally:
            for customer in self.customers:
                customer.stopping.set()

    def _go_through(self) -> None:
        for customer in self.customers:
            customer.start()
        for number, batch in enumerate(self.plan, 1):
            began = time.monotonic()
            self.driver.strike(batch)
            self._go_on()
            self.times.append(time.monotonic() - began)
            self._say(f"{number}/{len(self.plan)} {' + '.join(map(str, batch))}: {self.times[-1]:.1f} s")
        self._end_customers()
        self._calm()
        self._judge()
        self._delete_all()
        assert not self._bugs(), f"the portal answered as if it had a bug: {self.api.troubles}"
        operations, faulty = sum(c.done for c in self.customers), len(self.driver.struck)
        self._say(
            f"{operations} operations, {faulty} faults, {sum(self.times) / faulty:.1f} s for each;"
            f" no answer at first: {self.api.troubles or 'never'}"
        )

    def _go_on(self) -> None:
        """Wait until the portal is whole again and a customer has had something done since."""
        eventually(lambda: not self.judge.readiness(), within=HEALED_WITHIN, what="the portal is ready again")
        done = sum(customer.done for customer in self.customers)
        eventually(lambda: self._moved(done), within=HEALED_WITHIN, what="customers get on")

    def _moved(self, done: int) -> bool:
        for customer in self.customers:
            if customer.error:
                raise customer.error
        return sum(customer.done for customer in self.customers) > done

    def _end_customers(self) -> None:
        for customer in self.customers:
            customer.stopping.set()
        for customer in self.customers:
            customer.join(PATIENCE * 2)
            assert not customer.is_alive(), f"{customer.name} still waits"
            if customer.error:
                raise customer.error

    def _calm(self) -> None:
        restless: list[str] = []

        def calm() -> bool:
            restless[:] = self.judge.restless()
            return not restless

        try:
            eventually(calm, within=PATIENCE)
        except AssertionError as error:
            raise AssertionError("\n".join(restless)) from error

    def _judge(self) -> None:
        for customer in self.customers:
            for book in customer.books:
                customer.check(book, book.content)
        found = self.judge.faults(self.customers)
        assert not found, "\n".join(found)

    def _delete_all(self) -> None:
        for customer in self.customers:
            for book in list(customer.books):
                customer.wipe(book)
        left = self.judge.leftovers()
        assert not left, "\n".join(left)

    def _bugs(self) -> list[str]:
        """Return the answers that a fault does not excuse: 503 says something is away, 500 that it broke."""
        return [trouble for trouble in self.api.troubles if trouble.startswith("500")]

    def _say(self, line: str) -> None:
        sys.__stderr__.write(f"chaos {self.seed}: {line}\n")

    def _told(self) -> str:
        struck = "\n".join(f"  {mark.began - self.driver.struck[0].began:6.1f} s {mark}" for mark in self.driver.struck)
        histories = "\n".join(f"  {c.name}: {line}" for c in self.customers for line in c.history[-15:])
        return f"CHAOS_SEED={self.seed}; faults:\n{struck}\n{histories}\n{self.api.troubles}\n{self.judge.hints()}"
