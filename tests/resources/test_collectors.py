"""What is told to Prometheus of services, engine and operations."""

import datetime

import pytest
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest

from portal.resources.collectors import COLLECTORS
from portal.resources.models import Resource

pytestmark = pytest.mark.django_db


def told() -> str:
    registry = CollectorRegistry()
    for collector in COLLECTORS:
        registry.register(collector)
    return generate_latest(registry).decode()


def test_states_failures_lag_and_operations_are_told(running: Resource) -> None:
    text = told()
    assert 'archipel_services{health="healthy",offering="toy",state="running"} 1.0' in text
    assert 'archipel_operations_total{state="succeeded",type="create"} 1.0' in text
    assert "archipel_reconcile_due 0.0" in text
    Resource.objects.update(next_reconcile_at=timezone.now() - datetime.timedelta(seconds=30), failures=3)
    text = told()
    assert "archipel_services_failing 1.0" in text
    assert "archipel_reconcile_due 1.0" in text
    assert float(text.split("archipel_reconcile_lag_seconds ")[-1].split()[0]) >= 30
