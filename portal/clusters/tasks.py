"""Discovery on a schedule: what each cluster can run now. Written only where it differs from what is known."""

import logging

from django.db.models import Q
from django.utils import timezone

from portal.celery import app
from portal.clusters.models import Cluster
from portal.clusters.registry import backend_of
from portal.core.errors import PermanentError, TemporaryError

logger = logging.getLogger(__name__)


@app.task(name="portal.clusters.tasks.discover", expires=60)
def discover() -> None:
    """Have every enabled cluster looked at: this machine here, each that is asked over a network by a task of its own.

    One that does not answer keeps what was known of it, and is left alone until its next try is due.
    """
    due = Q(retry_at=None) | Q(retry_at__lte=timezone.now())
    for cluster in Cluster.objects.filter(due, enabled=True):
        if cluster.kind == Cluster.Kind.LOCAL:
            _look_at(cluster)
        else:
            discover_one.delay(str(cluster.id))


@app.task(name="portal.clusters.tasks.discover_one", expires=60)
def discover_one(cluster_id: str) -> None:
    """Look at one cluster."""
    cluster = Cluster.objects.filter(id=cluster_id, enabled=True).first()
    if cluster is not None:
        _look_at(cluster)


def _look_at(cluster: Cluster) -> None:
    try:
        found = backend_of(cluster).discover()
    except (TemporaryError, PermanentError) as error:
        trouble = getattr(error, "trouble", "")
        logger.warning("cluster %s does not answer: %s", cluster.name, trouble or error)
    except Exception:
        logger.exception("discovery of cluster %s broke", cluster.name)  # the others are looked at all the same
    else:
        if found != cluster.capabilities:
            fields = {"capabilities": found, "discovered_at": timezone.now()}
            Cluster.objects.filter(id=cluster.id).update(**fields)
