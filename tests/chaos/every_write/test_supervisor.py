"""kill -9 at every effect of a supervisor over an instance's whole life: files, processes, signals, answers.

One undisturbed life is counted; then lives are led in each step of which the supervisor kills itself at one of its
points. The next one finds what it left and brings it to what is asked: one engine, no orphan, no data made twice.
"""

import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.core.drivers import Unit
from tests.chaos.every_write.struck import NOWHERE, Point, Struck
from tests.chaos.every_write.supervisor_life import LIFE, Life
from tests.clusters.local.conftest import packages, small_unit  # noqa: F401 - fixtures

pytestmark = pytest.mark.engine
SEED = 4
IN_SHORT = ("fill the stock", "order", "delete")  # a life that is struck in no other step goes without the others
SEEN_OFTEN = 2  # what comes again and again by the clock, such as a probe, is struck this often
Points = dict[str, list[Point]]  # of each step
NewLife = Callable[[], Life]
Tell = Callable[[str], None]


@pytest.fixture(params=["walls", "bare"])
def new_life(packages: Path, small_unit: Callable[..., Unit], request: pytest.FixtureRequest) -> Iterator[NewLife]:  # noqa: F811
    """``new_life()``: a supervisor on an empty directory; with and without the sandbox."""
    made: list[Struck] = []

    def make() -> Life:
        data = Path(tempfile.mkdtemp(prefix="archipel-test-"))
        made.append(Struck(data, packages, walls=request.param == "walls"))
        return Life(made[-1], small_unit)

    yield make
    for struck in made:
        struck.close()


def lead(life: Life, points: dict[str, Point]) -> tuple[dict[str, Counter[str]], int]:
    """Lead a life; return the points that each step passed, and in how many the supervisor died."""
    passed, deaths = {}, 0
    shortened = points and points.keys() <= set(IN_SHORT)
    life.struck.start()
    for name, act in LIFE.items():
        if shortened and name not in IN_SHORT:
            continue
        point = points.get(name, NOWHERE)
        act(life, point)
        life.struck.eventually(lambda: life.struck.died or (life.is_done() and life.struck.quiet()), f"{name}: {point}")
        passed[name] = life.struck.passed()
        if life.struck.died:
            deaths += life.struck.bury() < 0
            life.struck.start()
        life.struck.eventually(life.is_done, f"{name} after {point}")
        if name == "order":
            (life.struck.home.root / "precious").write_text("kept")
        life.check()
    life.struck.close()
    return passed, deaths


def points_of(passed: dict[str, Counter[str]]) -> Points:
    """Return every point of every step."""
    return {
        step: [(name, nth) for name, times in sorted(names.items()) for nth in range(1, min(times, most(name)) + 1)]
        for step, names in passed.items()
    }


def most(name: str) -> int:
    """Return how many points of one name are struck."""
    by_the_clock = ("Popen /usr/bin/python3 -I -c", "sample.json", "answer", "stock/", "head -c 9")
    return SEEN_OFTEN if any(word in name for word in by_the_clock) else 1000


def walk(new_life: NewLife, lives: int = 0) -> str:
    """Strike everywhere, or in as many lives at points that the seed chooses; return how many points were struck."""
    passed, deaths = lead(new_life(), {})
    assert deaths == 0
    points, chance, chosen, struck = points_of(passed), random.Random(SEED), 0, 0
    for number in range(lives or max(map(len, points.values()))):
        one = {
            step: chance.choice(known) if lives else known[number]
            for step, known in points.items()
            if lives or number < len(known)
        }
        struck += lead(new_life(), one)[1]
        chosen += len(one)
    assert struck > chosen / 2, "points are found again"  # not all: what goes on at once comes in another order
    return f"kill -9 of the supervisor: {struck} at {chosen} of {sum(map(len, points.values()))} points"


def test_kills_at_some_points_lose_and_double_nothing(new_life: NewLife, tell: Tell) -> None:
    tell(walk(new_life, lives=1))


@pytest.mark.full
@pytest.mark.parametrize("new_life", ["walls"], indirect=True)
def test_kills_at_every_point_lose_and_double_nothing(new_life: NewLife, tell: Tell) -> None:
    tell(walk(new_life))


@pytest.mark.full
@pytest.mark.parametrize("new_life", ["bare"], indirect=True)
def test_kills_at_many_points_lose_and_double_nothing_without_a_sandbox(new_life: NewLife, tell: Tell) -> None:
    tell(walk(new_life, lives=20))
