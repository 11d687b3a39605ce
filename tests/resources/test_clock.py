"""A clock that is set back: nothing waits for the old time to come again, and a little skew breaks no lease."""

import datetime
from collections.abc import Callable

import pytest
from django.utils import timezone

from portal.resources import tasks
from portal.resources.engine import claim
from portal.resources.models import Operation, Resource
from tests.resources.conftest import turn

pytestmark = pytest.mark.django_db
HOURS = datetime.timedelta(hours=3)


@pytest.fixture
def service(order: Callable[..., Operation]) -> Resource:
    return turn(order().resource)


def test_a_lease_from_before_the_clock_was_set_back_is_over(service: Resource) -> None:
    rows = Resource.objects.filter(id=service.id)
    rows.update(lease_until=timezone.now() + HOURS, next_reconcile_at=timezone.now())
    assert rows.due(timezone.now()).exists()
    assert claim.take(service.id) is not None


def test_the_lease_of_a_host_that_is_a_minute_ahead_holds(service: Resource) -> None:
    rows = Resource.objects.filter(id=service.id)
    rows.update(
        lease_until=timezone.now() + claim.LEASE + datetime.timedelta(minutes=1), next_reconcile_at=timezone.now()
    )
    assert not rows.due(timezone.now()).exists()
    assert claim.take(service.id) is None


def test_what_was_put_off_in_the_future_is_due_now_and_the_rest_is_not(
    service: Resource, order: Callable[..., Operation]
) -> None:
    other, now = turn(order("other").resource), timezone.now()
    Resource.objects.filter(id=service.id).update(next_reconcile_at=now + HOURS, updated_at=now + HOURS)
    Resource.objects.filter(id=other.id).update(next_reconcile_at=now + datetime.timedelta(minutes=5), updated_at=now)

    tasks.look_for_drift()

    assert list(Resource.objects.due(timezone.now())) == [service]


def test_what_was_asked_with_the_old_time_as_the_new_one_came_is_due_now(service: Resource) -> None:
    rows = Resource.objects.filter(id=service.id)
    rows.update(next_reconcile_at=timezone.now() + HOURS, updated_at=timezone.now())

    tasks.look_for_drift()

    assert rows.due(timezone.now()).exists()
