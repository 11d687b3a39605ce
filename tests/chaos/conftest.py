"""Islands: portals that faults may be driven into."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.island import Island


@contextmanager
def settled() -> Iterator[Island]:
    """Bring an island up, and see that SIGTERM leaves nothing of it."""
    with tempfile.TemporaryDirectory(prefix="archipel-chaos-", ignore_cleanup_errors=True) as folder:
        made = Island(Path(folder))
        try:
            made.up()
            yield made
        finally:
            try:
                made.down()
                assert not made.socket.exists(), "the sockets' directory is left"
            finally:
                made.close()


@pytest.fixture(scope="package")
def island() -> Iterator[Island]:
    """One for all tests of an ordinary run."""
    with settled() as made:
        yield made


@pytest.fixture
def island_of_its_own() -> Iterator[Island]:
    with settled() as made:
        yield made
