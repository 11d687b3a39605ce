"""Discovery on a schedule: what each cluster can run now. Written only where it differs from what is known."""

import logging

from django.utils import timezone

from portal.celery import app
from portal.clusters.models import Cluster
from portal.clusters.registry import backend_of
from portal.core.errors import TemporaryError

logger = logging.getLogger(__name__)


@app.task(name="portal.clusters.tasks.discover", expires=60)
def discover() -> None:
    """Look at every enabled cluster; one that does not answer keeps what was known of it."""
    for cluster in Cluster.objects.filter(enabled=True):
        try:
            _look_at(cluster)
        except TemporaryError as error:
            logger.warning("cluster %s does not answer: %s", cluster.name, error)
        except Exception:
            logger.exception("discovery of cluster %s broke", cluster.name)  # the others are looked at all the same


def _look_at(cluster: Cluster) -> None:
    found = backend_of(cluster).discover()
    if found != cluster.capabilities:
        cluster.capabilities, cluster.discovered_at = found, timezone.now()
        cluster.save(update_fields=["capabilities", "discovered_at"])
