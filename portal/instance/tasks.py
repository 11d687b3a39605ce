"""The heartbeat: beat sends it, a worker runs it, so that its arrival proves both and the broker between them."""

import time
from typing import Any

from celery import shared_task
from celery.signals import beat_init, worker_ready
from django.core.cache import cache

from portal.clusters.tasks import discover

WORKER = "heartbeat:worker"
BEAT = "heartbeat:beat"
LIVES = 60  # seconds


@shared_task(name="portal.instance.tasks.heartbeat", ignore_result=True, expires=30)
def heartbeat(sender: str = "beat") -> None:
    """Note that a worker takes tasks, and that beat sends them."""
    cache.set(WORKER, time.time(), LIVES)
    if sender == "beat":
        cache.set(BEAT, time.time(), LIVES)


@worker_ready.connect
def _worker_is_ready(**_: Any) -> None:
    """Send the first one at once: beat's may be seconds away."""
    heartbeat.delay("worker")
    discover.delay()


@beat_init.connect
def _beat_is_ready(**_: Any) -> None:
    cache.set(BEAT, time.time(), LIVES)
