"""The toy offering in a region kept in memory, with flat prices and a cache of its own; and clients by role."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from portal.accounts.models import User
from portal.core import pricing
from portal.core.api.reference import openapi
from portal.projects.models import Project
from portal.resources.models import Resource
from tests.api.doubles import FlatPricer
from tests.resources.conftest import (  # noqa: F401 - fixtures
    actor,
    backend,
    cluster,
    enqueued,
    kernel,
    order,
    running,
    toy,
)
from tests.resources.doubles import MemoryBackend


@pytest.fixture(autouse=True)
def surroundings(settings: Any) -> Iterator[None]:
    """A cache and prices that no other test sees."""
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "api"}}
    settings.PRICER = f"{FlatPricer.__module__}.{FlatPricer.__name__}"
    cache.clear()
    pricing.pricer.cache_clear()
    openapi.cache_clear()
    yield
    pricing.pricer.cache_clear()
    openapi.cache_clear()


@pytest.fixture
def api(developer: User, kernel: MemoryBackend, api_of: Callable[..., APIClient]) -> APIClient:  # noqa: F811
    """The developer's token."""
    client = api_of(developer)
    client.default_format = "json"
    return client


@pytest.fixture
def foreign(order: Callable[..., Any], other_project: Project) -> Resource:  # noqa: F811
    """A service of another organization."""
    resource = order("foreign").resource
    Resource.objects.filter(id=resource.id).update(project=other_project)
    return Resource.objects.get(id=resource.id)
