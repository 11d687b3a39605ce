"""One portal for all journeys of a run."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.journeys.instance import Api, Instance


@pytest.fixture(scope="session")
def instance() -> Iterator[Instance]:
    with tempfile.TemporaryDirectory(prefix="archipel-journey-", ignore_cleanup_errors=True) as folder:
        portal = Instance(Path(folder) / "data")
        try:
            portal.up()
            yield portal
        finally:
            portal.down()


@pytest.fixture(scope="session")
def api(instance: Instance) -> Api:
    return Api(instance.url, instance.token())
