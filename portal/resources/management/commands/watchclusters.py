"""``manage.py watchclusters``: follow what changes in Kubernetes clusters, and wake the engine (part of ``up``)."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from portal.clusters.backends.kubernetes.watching import Watching
from portal.resources.watching import woken


class Command(BaseCommand):
    help = "Watch the Kubernetes clusters and look at once at each service in which something changes."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Watching(woken).run(stop)
