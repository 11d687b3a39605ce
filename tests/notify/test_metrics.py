"""Whoever watches the portal sees mail and webhooks that wait, fail, or were given up."""

import datetime
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from portal.notify.models import Delivery, Mail, Webhook

pytestmark = pytest.mark.django_db


def test_metrics_tell_what_waits_and_what_failed(hook: Webhook, emitted: Callable[..., None]) -> None:
    emitted()
    Mail.objects.create(recipient="a@acme.example", state="failed")
    Delivery.objects.update(next_at=timezone.now() - datetime.timedelta(seconds=90))
    text = Client().get("/metrics").text
    assert 'archipel_mails{state="failed"} 1.0' in text
    assert 'archipel_webhook_deliveries{state="pending"} 1.0' in text
    assert 'archipel_webhooks{state="on"} 1.0' in text
    lag = next(line for line in text.splitlines() if line.startswith('archipel_told_lag_seconds{what="webhook"}'))
    assert float(lag.split()[1]) >= 90
