"""A portal whose processes can be killed at any point: requests, worker, beat; and what brings it to rest again.

A process is run where the test runs, unless it is the one to be killed: that one is a real process of its own, forked,
which ends by a real SIGKILL.
"""

import datetime
import json
import os
import signal
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection, connections
from django.utils import timezone
from rest_framework.test import APIClient

from portal.clusters.backends.local import layout
from portal.clusters.backends.local.layout import Home
from portal.clusters.models import PortReservation
from portal.resources import engine, tasks
from portal.resources.engine import claim
from portal.resources.models import Operation, Resource
from tests.chaos.every_write import snapshot
from tests.chaos.every_write.broker import Broker, Message, Obedient
from tests.chaos.every_write.points import Points

HORIZON = datetime.timedelta(minutes=10)  # what is due within it is waited for, by moving the due time
ROUNDS = 80


@dataclass(slots=True)
class Trace:
    """What one step did: the points of each of its processes, how many messages it sent, and what each request made."""

    processes: list[list[str]] = field(default_factory=list)
    sent: int = 0
    requested: dict[int, snapshot.Snapshot] = field(default_factory=dict)  # by how many processes there were before
    settled: snapshot.Snapshot = field(default_factory=dict)

    @property
    def points(self) -> list[str]:
        return [name for names in self.processes for name in names]


@dataclass(slots=True)
class Fault:
    """What goes wrong in a step: a kill at a point, or all messages lost with one of them. Counted from 1, 0: never."""

    kill_at: int = 0
    lose_at: int = 0
    expected: Trace = field(default_factory=Trace)  # of the step undisturbed
    struck: bool = False

    @property
    def place(self) -> str:
        """Where it strikes, for people."""
        if self.lose_at:
            return f"message {self.lose_at}"
        return f"point {self.kill_at}, {self.expected.points[self.kill_at - 1]}" if self.kill_at else "no point"

    @property
    def is_delivered_again(self) -> bool:
        """Whether the dead worker's message comes again: around every other effect it is lost with the worker."""
        return self.kill_at % 4 < 2

    def point_in(self, number: int) -> int:
        """Return at which of its points the process of that number dies; 0: it lives."""
        if self.struck or not self.kill_at:
            return 0
        left = self.kill_at
        for names in self.expected.processes[:number]:
            left -= len(names)
        here = self.expected.processes[number] if number < len(self.expected.processes) else []
        return left if 0 < left <= len(here) else 0


class World:
    """The portal of one life."""

    def __init__(self, broker: Broker, supervisor: Obedient, client: APIClient, data: Path) -> None:
        self.broker, self.supervisor, self.client, self.data = broker, supervisor, client, data
        self.points = Points()
        self.trace, self.fault = Trace(), Fault()

    def step(self, act: Callable[["World"], None], fault: Fault) -> Trace:
        """Do one step of a life, with what goes wrong in it, and bring it to rest."""
        self.trace, self.fault = Trace(), fault
        self.broker.sent, self.broker.lose_at = 0, fault.lose_at
        act(self)
        self.settle()
        assert not Operation.objects.open().exists(), "operations end"
        assert self._ports_in_use() == set(PortReservation.objects.values_list("handle", "name", "port"))
        self.trace.sent = self.broker.sent
        fault.struck |= 0 < fault.lose_at <= self.broker.sent
        self.trace.settled = snapshot.take(self.data)
        return self.trace

    def _ports_in_use(self) -> set[tuple[str, str, int]]:
        wishes = [(handle, Home(self.data, handle).wish()) for handle in layout.handles(self.data)]
        return {(handle, name, port) for handle, wish in wishes if wish for name, port in wish.ports.items()}

    def around(self, name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``effect`` with points of whatever process calls it."""
        return lambda *args, **options: self.points.around(name, effect)(*args, **options)

    # ---- processes ---------------------------------------------------------------------------------------------------

    def process(self, work: Callable[[], object]) -> bool:
        """Do what a process of the portal does. Return False where it was killed on the way."""
        point = self.fault.point_in(len(self.trace.processes))
        self.points = Points(point)
        if not point:
            work()
            self.trace.processes.append(self.points.names)
            self.points = Points()
            return True
        self.fault.struck = True
        _die(work)
        self.points = Points()
        self._nobody_takes_what_the_dead_one_holds()
        return False

    def _nobody_takes_what_the_dead_one_holds(self) -> None:
        """Until its lease is over, a message that comes again finds the service taken."""
        for resource in Resource.objects.filter(lease_until__gt=timezone.now()):
            before = Resource.objects.filter(id=resource.id).values().get()
            assert claim.take(resource.id) is None
            assert engine.reconcile(resource.id) is False
            assert Resource.objects.filter(id=resource.id).values().get() == before

    # ---- people ------------------------------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str = "",
        each: bool = False,
        **headers: str,
    ) -> Any:
        """Ask as a client does, which asks again with the same key where no answer came. Return the answer's body.

        Without a key, asking again is to be harmless; where ``each`` request counts, it is made again only if the first
        had no effect.
        """
        answers: list[Any] = []
        headers |= {"HTTP_IDEMPOTENCY_KEY": key} if key else {}

        def request() -> None:
            content = json.dumps(body) if body is not None else ""
            answers.append(self.client.generic(method, path, content, content_type="application/json", **headers))

        before = snapshot.take(self.data) if self.fault.point_in(len(self.trace.processes)) else None
        done = False
        if not self.process(request):
            done = self._is_done(before or {})
            if not (done and each):
                self.process(request)
        if not answers:
            return None
        answer = answers[0]
        may_refuse = done and not key  # it says that there is nothing left to do
        assert answer.status_code in (200, 202) or may_refuse, (answer.status_code, answer.content)
        if not self.fault.expected.processes:  # nobody has counted this step before
            self.trace.requested[len(self.trace.processes) - 1] = snapshot.take(self.data)
        return answer.json()

    def _is_done(self, before: snapshot.Snapshot) -> bool:
        """An act that was cut off has happened with all that belongs to it, or has not happened at all."""
        now, whole = snapshot.take(self.data), self.fault.expected.requested[len(self.trace.processes)]
        if not (half := snapshot.difference(before, now)):
            return False
        assert not snapshot.difference(whole, now), f"half done:\n{half}"
        return True

    # ---- coming to rest ----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let worker, beat and supervisor do what they do until nothing is due any more."""
        for _ in range(ROUNDS):
            for handle in self.supervisor.obey():
                self.broker.send(("wake", handle))
            message = self.broker.take()
            if message is not None:
                self._work(message)
            elif Resource.objects.due(timezone.now()).exists():
                self.beat(tasks.sweep_due)
            elif not _pass_time():
                return
        raise AssertionError(f"it does not come to rest: {list(Resource.objects.values())}")

    def beat(self, task: Callable[[], object]) -> None:
        """Run a task of the beat, which comes again where it was cut off."""
        if not self.process(task):
            self.process(task)

    def _work(self, message: Message) -> None:
        """Work on a message; one whose worker died is delivered again, or lost as well."""
        task = {"reconcile": tasks.reconcile, "wake": tasks.wake}[message[0]]
        if not self.process(lambda: task(message[1])) and self.fault.is_delivered_again:
            self.process(lambda: task(message[1]))


def _pass_time() -> bool:
    """Make due what will be soon, and end the leases of the dead. Return whether anything waits at all."""
    now = timezone.now()
    waiting = Resource.objects.filter(next_reconcile_at__lte=now + HORIZON, purged_at=None)
    Resource.objects.filter(lease_until__gt=now).update(lease_until=now)
    return bool(waiting.update(next_reconcile_at=now))


def _die(work: Callable[[], object]) -> None:
    """Do the work in a process that kills itself on the way, at the latest when it has done it."""
    connections.close_all()
    with warnings.catch_warnings():  # of threads that the test runner has; the child touches none of them
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            work()
            os.kill(os.getpid(), signal.SIGKILL)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, "the process did not even come to its end"
    _wait_for_the_database()


def _wait_for_the_database() -> None:
    """Wait until the server has seen the end of the process, and undone what it had not committed."""
    others = """SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND backend_type = 'client backend'"""
    deadline = time.monotonic() + 10
    with connection.cursor() as cursor:
        while cursor.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline, "somebody else is connected"
            time.sleep(0.005)
