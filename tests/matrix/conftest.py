"""One world per module: rows, clients and doubles that all its tests ask and none changes."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.test import override_settings
from django.utils import translation
from pytest_django import Settings

from portal.accounts import reauthentication
from portal.core import pricing, registry
from portal.resources import tasks
from tests.api.doubles import FlatPricer
from tests.matrix.world import TOY, World, build
from tests.resources.doubles import MemoryBackend

DAY = 86_400  # seconds
STATIC = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
SURROUNDINGS: dict[str, Any] = {
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "matrix"}},
    "STORAGES": {**settings.STORAGES, "staticfiles": STATIC},
    "WHITENOISE_AUTOREFRESH": True,
    "PRICER": f"{FlatPricer.__module__}.{FlatPricer.__name__}",
    "SIGN_IN_BY_LINK": True,
    "ACCOUNT_RATE_LIMITS": False,
    "BASE_URL": "http://127.0.0.1:8000",
}


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """The rows, in a transaction that is undone after the module; the one of each test is a savepoint in it."""
    backend = MemoryBackend()
    found = {**registry.offerings(), TOY.slug: TOY}
    database = str(connection.settings_dict["NAME"])
    assert database.startswith("test_"), f"{database} is no database of tests: mark the module with django_db"
    with (
        pytest.MonkeyPatch.context() as patch,
        django_db_blocker.unblock(),
        override_settings(**SURROUNDINGS),
        translation.override("en"),
    ):
        patch.setattr(registry, "offerings", lambda: found)
        patch.setattr("portal.resources.engine.turn.backend_of", lambda cluster: backend)
        patch.setattr("portal.clusters.reads.backend_of", lambda cluster: backend)
        patch.setattr(tasks, "enqueue", lambda resource_id: None)
        patch.setattr(logging.getLogger("django.request"), "level", logging.ERROR)  # each no would be a line
        pricing.pricer.cache_clear()
        cache.clear()
        with transaction.atomic():
            yield build(backend)
            transaction.set_rollback(True)
        pricing.pricer.cache_clear()


@pytest.fixture(autouse=True)
def plain_frame(world: World) -> None:
    """Stand in for the frame of other tests: the world has its own, for the whole module."""
    cache.clear()


@pytest.fixture
def lasting_proof(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """Have nobody asked again who they are: on a slow machine a module of thousands of requests outlives the limit."""
    monkeypatch.setattr(reauthentication, "RECENT", DAY)
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = DAY
