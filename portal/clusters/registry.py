"""Gives the backend of a cluster: one object per cluster and process, of the class that settings name for its kind."""

import uuid
from functools import lru_cache

from django.conf import settings
from django.utils.module_loading import import_string

from portal.clusters.backends.base import Backend
from portal.clusters.models import Cluster


def backend_of(cluster: Cluster) -> Backend:
    """Return the backend that drives ``cluster``."""
    return _backend(cluster.id, cluster.kind, cluster.name)


@lru_cache(maxsize=256)
def _backend(cluster_id: uuid.UUID, kind: str, name: str) -> Backend:
    backend: Backend = import_string(settings.BACKENDS[kind])(Cluster(id=cluster_id, kind=kind, name=name))
    return backend
