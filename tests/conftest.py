"""What every test may use: ``--full``, a browser, waiting with a deadline, and the people of ``tests/fixtures.py``."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any, TypeVar

import pytest
from django.apps import apps
from pytest_django.plugin import blocking_manager_key

from portal.instance.browser import chromium
from portal.instance.failed import Failed

pytest_plugins = ["tests.fixtures", "tests.cluster.one_worker"]
T = TypeVar("T")
# What hypothesis keeps between runs has no place in the checkout, which may belong to another account.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", f"{tempfile.gettempdir()}/hypothesis-{os.getuid()}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run the tests marked full as well")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--full"):
        long = [item for item in items if item.get_closest_marker("full")]
        items[:] = [item for item in items if item not in long]
        config.hook.pytest_deselected(items=long)
    browsing = [item for item in items if item.get_closest_marker("browser")]
    if browsing and not config.option.collectonly:
        _provide_browser(browsing)


def _provide_browser(items: list[pytest.Item]) -> None:
    """Name the browser in ``ARCHIPEL_CHROMIUM``. Without one its tests skip; in CI that fails the run."""
    from django.conf import settings

    try:
        os.environ["ARCHIPEL_CHROMIUM"] = str(chromium(settings.ARCHIPEL_PACKAGES))
    except Failed as error:
        if os.environ.get("CI"):
            raise pytest.UsageError(f"no browser for the tests: {error}") from error
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"no browser: {error}"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Bring back what migrations had put into tables: a test with transactions of its own empties them all.

    After the last test the database is gone.
    """
    yield
    if nextitem is not None and _empties_tables(item):
        with item.config.stash[blocking_manager_key].unblock():
            _bring_back_prices()


def _bring_back_prices() -> None:
    if not apps.get_model("billing", "PriceBook").objects.exists():
        import_module("apps.billing.migrations.0002_first_price_book").make_first_book(apps, None)


def _empties_tables(item: pytest.Item) -> bool:
    mark = item.get_closest_marker("django_db")
    asked = mark is not None and bool(mark.kwargs.get("transaction") or (mark.args and mark.args[0]))
    return asked or "transactional_db" in getattr(item, "fixturenames", ())


@pytest.fixture
def eventually() -> Callable[..., Any]:
    """Return a function that asks again until the answer is true, and fails when the time is up."""

    def wait(question: Callable[[], T], *, within: float = 30.0, every: float = 0.02) -> T:
        end = time.monotonic() + within
        while not (answer := question()):
            assert time.monotonic() < end, f"not within {within} s: {getattr(question, '__name__', question)}"
            time.sleep(every)
        return answer

    return wait
