"""What ``/metrics`` tells of the instance itself: its queues, and which of its parts answer."""

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from redis import Redis
from redis.exceptions import RedisError

from portal.celery import app
from portal.instance import readiness


class QueueDepth(Collector):
    """Tasks that wait, by queue, and tasks that a worker holds."""

    def collect(self) -> Iterator[Metric]:
        waiting = GaugeMetricFamily("archipel_queue_depth", "Tasks that wait in a queue.", labels=["queue"])
        held = GaugeMetricFamily("archipel_tasks_unacknowledged", "Tasks that a worker has taken and not finished.")
        try:
            with Redis.from_url(settings.CACHE_URL, socket_timeout=1, socket_connect_timeout=1) as broker:
                for queue in app.amqp.queues:
                    waiting.add_metric([queue], float(str(broker.llen(queue))))
                held.add_metric([], float(str(broker.hlen("unacked"))))
        except RedisError:
            return
        yield waiting
        yield held


class Parts(Collector):
    """1 for each part that answers, 0 for each that does not."""

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("archipel_part_up", "Whether a part of the portal answers.", labels=["part"])
        for part, problem in readiness.report().items():
            up.add_metric([part], 0.0 if problem else 1.0)
        yield up


COLLECTORS = (QueueDepth(), Parts())
