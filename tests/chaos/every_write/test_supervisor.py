"""kill -9 at every effect of a supervisor over an instance's whole life: files, processes, signals, answers.

One undisturbed life is counted; then lives are led in each step of which the supervisor kills itself at one of its
points. The next one finds what it left and brings it to what is asked: one engine, no orphan, no data made twice.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.core.drivers import Unit
from tests.chaos.every_write.struck import Struck
from tests.chaos.every_write.supervisor_life import Life
from tests.chaos.every_write.walking import walk
from tests.clusters.local.conftest import packages, small_unit  # noqa: F401 - fixtures

pytestmark = pytest.mark.engine
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
