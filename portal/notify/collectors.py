"""What ``/metrics`` tells of mail and webhooks: what waits, since when, and what was given up."""

from collections.abc import Iterator

from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from portal.notify.models import Delivery, Mail, Webhook


class Told(Collector):
    """Mails and deliveries by state, webhooks by how they do, and for how long what is due has waited."""

    def collect(self) -> Iterator[Metric]:
        mails = GaugeMetricFamily("archipel_mails", "Mails that are kept.", labels=["state"])
        for state, number in Mail.objects.order_by().values_list("state").annotate(Count("id")):
            mails.add_metric([state], number)
        yield mails
        deliveries = GaugeMetricFamily("archipel_webhook_deliveries", "Deliveries that are kept.", labels=["state"])
        for state, number in Delivery.objects.order_by().values_list("state").annotate(Count("id")):
            deliveries.add_metric([state], number)
        yield deliveries
        webhooks = GaugeMetricFamily("archipel_webhooks", "Webhooks.", labels=["state"])
        rows = Webhook.objects.order_by()
        webhooks.add_metric(["on"], rows.filter(enabled=True, failing_since=None).count())
        webhooks.add_metric(["failing"], rows.filter(enabled=True).exclude(failing_since=None).count())
        webhooks.add_metric(["off"], rows.filter(enabled=False).count())
        yield webhooks
        yield _lag()


def _lag() -> Metric:
    lag = GaugeMetricFamily("archipel_told_lag_seconds", "How long the oldest that is due has waited.", labels=["what"])
    now = timezone.now()
    mail = Mail.objects.filter(state=Mail.State.QUEUED, next_at__lte=now).aggregate(at=Min("next_at"))["at"]
    rows = Delivery.objects.filter(state=Delivery.State.PENDING, webhook__enabled=True, next_at__lte=now)
    delivery = rows.aggregate(at=Min("next_at"))["at"]
    for what, at in (("mail", mail), ("webhook", delivery)):
        lag.add_metric([what], (now - at).total_seconds() if at else 0.0)
    return lag


COLLECTORS = (Told(),)
