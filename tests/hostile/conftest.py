"""The rows, clients and doubles of the access matrix: each request here is undone as well."""

import pytest

from tests.matrix.conftest import lasting_proof, plain_frame, world
from tests.matrix.world import World

__all__ = ["lasting_proof", "plain_frame", "world"]


@pytest.fixture
def _django_db_helper(world: World) -> None:
    """Stand in for pytest-django's transaction per test: the world has one, and each request a savepoint.

    The tests are marked ``django_db`` all the same: without a mark anywhere no database for tests would be made.
    """
