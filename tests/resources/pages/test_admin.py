"""The admin site's view of services: to look at by the provider's people, to act on by operators with a reason."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.resources.models import Change, Operation, Resource

pytestmark = pytest.mark.django_db
MODELS = ("resource", "operation", "change", "child", "event")


def test_everything_can_be_looked_at_and_nothing_edited(
    make: Callable[..., Resource],
    operation: Callable[..., Operation],
    operator: User,
    owner: User,
    client_of: Callable[[User], Client],
) -> None:
    service = make()
    operation(service)
    Change.objects.create(resource=service, at=timezone.now(), plan_slug="dev-2", running=True)
    client = client_of(operator)
    for model in MODELS:
        assert client.get(f"/admin/resources/{model}/").status_code == 200, model
        assert client.get(f"/admin/resources/{model}/", {"q": "box"}).status_code == 200, model
        assert client.get(f"/admin/resources/{model}/add/").status_code == 403, model
        assert client_of(owner).get(f"/admin/resources/{model}/").status_code in (302, 403), model
    assert client.get(f"/admin/resources/resource/{service.id}/change/").status_code == 200


@pytest.mark.parametrize("action, word", [("retry_now", "service.retry"), ("force_delete", "service.force_delete")])
def test_an_operator_acts_with_a_reason_and_support_does_not(
    action: str,
    word: str,
    make: Callable[..., Resource],
    operator: User,
    support: User,
    client_of: Callable[[User], Client],
) -> None:
    service = make()
    body = {"action": action, "_selected_action": [str(service.id)]}
    written = AuditEvent.objects.filter(action=word, target_id=service.id)
    client = client_of(operator)
    asked = client.post("/admin/resources/resource/", body)
    assert asked.status_code == 200
    assert "reason" in asked.content.decode()
    assert not written.exists()
    client_of(support).post("/admin/resources/resource/", {**body, "reason": "because"})
    assert not written.exists()
    client.post("/admin/resources/resource/", {**body, "reason": "Its disk was lost."})
    assert written.get().reason == "Its disk was lost."
