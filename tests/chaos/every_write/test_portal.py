"""kill -9 at every write of a service's whole life, on the portal's side: requests, worker and beat.

One undisturbed life is counted: every writing statement, every commit, every call of the backend that changes
something, every message. Then lives are led in which each step is struck at one of its points, and after each step all
rows and files must be those of the undisturbed life. A client whose answer was lost asks again; a message whose worker
died comes again; while a dead worker's lease lasts, nobody may take its service.
"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings

from portal.resources.models import Change
from tests.chaos.every_write import snapshot
from tests.chaos.every_write.life import LIFE
from tests.chaos.every_write.world import Fault, Trace, World

pytestmark = pytest.mark.django_db(transaction=True)
NewWorld = Callable[[], World]
Tell = Callable[[str], None]
Faults = dict[str, Fault]  # of each step; one that is left out goes undisturbed
SEED, LIVES = 4, 2


@dataclass(frozen=True, slots=True)
class Strike:
    """Something that can go wrong: how many points of a step it can strike at, and the fault at one of them."""

    name: str
    count: Callable[[Trace], int]
    at: Callable[[int, Trace], Fault]


KILL = Strike("kill -9", lambda trace: len(trace.points), lambda at, trace: Fault(kill_at=at, expected=trace))
LOSS = Strike("broker emptied", lambda trace: trace.sent, lambda at, trace: Fault(lose_at=at, expected=trace))


def lead(world: World, faults: Faults, undisturbed: dict[str, Trace]) -> dict[str, Trace]:
    """Lead one life; after each step it must stand where the undisturbed one stood."""
    traces = {}
    for name, act in LIFE.items():
        fault = faults.get(name, Fault())
        traces[name] = world.step(act, fault)
        if undisturbed:
            lost = snapshot.difference(undisturbed[name].settled, traces[name].settled)
            assert not lost, f"{name}, struck at {fault.place}:\n{lost}"
    return traces


def everywhere(strike: Strike, undisturbed: dict[str, Trace]) -> Iterator[Faults]:
    """Give lives that together are struck at every point of every step once."""
    for at in range(1, max(map(strike.count, undisturbed.values())) + 1):
        yield {name: strike.at(at, trace) for name, trace in undisturbed.items() if at <= strike.count(trace)}


def here_and_there(undisturbed: dict[str, Trace]) -> Iterator[Faults]:
    """Give a few lives in which each step is struck by something at a point; the seed chooses."""
    chance = random.Random(SEED)
    for _ in range(LIVES):
        strikes = {name: chance.choice((KILL, KILL, LOSS)) for name in undisturbed}
        counts = {name: strike.count(undisturbed[name]) for name, strike in strikes.items()}
        yield {
            name: strikes[name].at(chance.randint(1, count), undisturbed[name])
            for name, count in counts.items()
            if count
        }


def walk(new_world: NewWorld, undisturbed: dict[str, Trace], lives: Iterable[Faults]) -> int:
    """Lead lives that are struck; return at how many points they were."""
    struck = 0
    for faults in lives:
        traces = lead(new_world(), faults, undisturbed)
        missed = {name: traces[name].processes for name, fault in faults.items() if not fault.struck}
        assert not missed, f"never came to its point: {missed}"
        struck += len(faults)
    return struck


def points(strike: Strike, undisturbed: dict[str, Trace]) -> int:
    """Return how many points there are in a whole life."""
    return sum(map(strike.count, undisturbed.values()))


def test_faults_at_some_points_change_nothing(new_world: NewWorld, tell: Tell) -> None:
    undisturbed = lead(new_world(), {}, {})
    Change.objects.first().delete()
    now = snapshot.take(Path(settings.ARCHIPEL_DATA))
    assert "resources.Change" in snapshot.difference(undisturbed[list(LIFE)[-1]].settled, now), "a lost row is seen"
    struck = walk(new_world, undisturbed, here_and_there(undisturbed))
    there_are = points(KILL, undisturbed) + points(LOSS, undisturbed)
    tell(f"faults: {struck} of {there_are} points in {len(LIFE)} steps")


@pytest.mark.full
@pytest.mark.parametrize("strike", [KILL, LOSS], ids=lambda strike: strike.name)
def test_faults_at_every_point_change_nothing(new_world: NewWorld, tell: Tell, strike: Strike) -> None:
    undisturbed = lead(new_world(), {}, {})
    lead(new_world(), {}, undisturbed)
    struck = walk(new_world, undisturbed, everywhere(strike, undisturbed))
    assert struck == points(strike, undisturbed)
    tell(f"{strike.name}: {struck} points in {len(LIFE)} steps")
