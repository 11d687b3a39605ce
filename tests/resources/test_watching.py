"""A change that was seen in a cluster: its service is due at once, and a turn is asked for."""

import uuid

import pytest
from django.utils import timezone

from portal.resources import tasks, watching
from portal.resources.models import Resource

pytestmark = pytest.mark.django_db


def test_a_service_is_due_and_a_turn_asked_for_and_a_stranger_is_nothing(
    running: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[uuid.UUID] = []
    monkeypatch.setattr(tasks, "enqueue", asked.append)
    service = running
    Resource.objects.filter(id=service.id).update(next_reconcile_at=None)
    asked.clear()
    watching.woken("zzzzzzzzzzzz")
    assert asked == []
    watching.woken(service.handle)
    assert asked == [service.id]
    assert Resource.objects.get(id=service.id).next_reconcile_at <= timezone.now()
