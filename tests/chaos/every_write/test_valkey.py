"""kill -9 of the supervisor over a Valkey's whole life, whose unit is of many processes: engines, replica and front.

Of the same shape as the walk with the small engine. A life takes a while, so points are chosen by the seed.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chaos.every_write.struck import Struck
from tests.chaos.every_write.valkey_life import ValkeyLife
from tests.chaos.every_write.walking import walk
from tests.clusters.local.conftest import packages  # noqa: F401 - a fixture

pytestmark = pytest.mark.engine
NewLife = Callable[[], ValkeyLife]
Tell = Callable[[str], None]


@pytest.fixture
def new_life(packages: Path) -> Iterator[NewLife]:  # noqa: F811
    """``new_life()``: a supervisor on an empty directory, and a Valkey that nobody has asked for yet."""
    made: list[Struck] = []

    def make() -> ValkeyLife:
        made.append(Struck(Path(tempfile.mkdtemp(prefix="archipel-test-")), packages, walls=True))
        return ValkeyLife(made[-1])

    yield make
    for struck in made:
        struck.close()


def test_kills_at_some_points_lose_no_write_and_double_no_process(new_life: NewLife, tell: Tell) -> None:
    tell(walk(new_life, lives=1))


@pytest.mark.full
def test_kills_at_many_points_lose_no_write_and_double_no_process(new_life: NewLife, tell: Tell) -> None:
    tell(walk(new_life, lives=20))
