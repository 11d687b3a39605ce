"""Seeded faults over one running portal, while customers order, resize, back up, restore, stop and delete.

A failure prints its seed and the faults that were struck; ``CHAOS_SEED=N`` replays it, ``CHAOS_FAULTS=N`` says how many
faults a seed brings. What a seed decides is what is struck in which order and what each customer does next; the moments
are the machine's.
"""

import os

import pytest

from tests.chaos.island import Island
from tests.chaos.trial import Trial

pytestmark = pytest.mark.engine
SEED = int(os.environ.get("CHAOS_SEED", "4"))
FAULTS = int(os.environ.get("CHAOS_FAULTS", "20"))


def test_nothing_is_doubled_lost_or_orphaned_by_faults(island: Island) -> None:
    Trial(island, SEED, FAULTS).run()


@pytest.mark.full
@pytest.mark.parametrize("seed", range(1000, 1050))
def test_a_thousand_faults(island_of_its_own: Island, seed: int) -> None:
    Trial(island_of_its_own, seed, 20).run()
