"""What happens to services is told to webhooks in its own transaction, and failures to who asked."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.vault import seal
from portal.notify.models import Happening, Notification, Webhook
from portal.projects.models import Project
from portal.resources import actions, happenings
from portal.resources.engine import progress
from portal.resources.models import Operation, Resource
from tests.resources.conftest import turn

pytestmark = pytest.mark.django_db


@pytest.fixture
def listening(project: Project) -> Webhook:
    """A webhook that hears of everything at Acme."""
    return Webhook.objects.create(
        organization_id=project.organization_id, url="https://hooks.example.org/", secret=seal("whsec_x")
    )


def types() -> list[str]:
    return list(Happening.objects.order_by("id").values_list("type", flat=True))


def test_a_service_s_life_is_told_in_order(
    listening: Webhook, order: Callable[..., Operation], actor: Actor, project: Project
) -> None:
    resource = turn(order().resource)
    assert types()[0] == "service.created"
    assert {"service.state_changed", "operation.finished"} <= set(types())
    first = Happening.objects.order_by("id")[0]
    assert (first.subject, first.project_id) == (resource.public_id, project.id)
    assert first.data["name"] == "box"
    last = Happening.objects.filter(type="service.state_changed").order_by("id").last()
    assert last is not None
    assert (last.data["state"], last.data["health"]) == ("running", "healthy")
    Happening.objects.all().delete()
    actions.edit(actor, resource, changes=actions.Edit(description="Ours"))
    assert types() == ["service.updated"]
    assert Happening.objects.get().data["changed"] == ["description"]
    Happening.objects.all().delete()
    actions.delete(actor, Resource.objects.get(id=resource.id), policy="wipe")
    turn(resource, 5)
    assert types()[-1] != "service.created"
    assert [h.data["in_bin"] for h in Happening.objects.filter(type="service.deleted")] == [False]


def test_nothing_is_written_while_nobody_listens(running: Resource) -> None:
    assert not Happening.objects.exists()


def test_an_undone_act_is_not_told(listening: Webhook, running: Resource, actor: Actor) -> None:
    before = Happening.objects.count()
    with pytest.raises(Problem):
        actions.edit(actor, running, changes=actions.Edit(name="NOT A NAME"))
    assert Happening.objects.count() == before


@pytest.mark.parametrize(
    ("kind", "state", "told", "person"),
    [
        ("backup", "succeeded", ["operation.finished", "backup.finished"], None),
        ("backup", "failed", ["operation.finished", "backup.failed"], "backup.failed"),
        ("resize", "timed_out", ["operation.finished"], "operation.failed"),
        ("resize", "cancelled", ["operation.finished"], None),
    ],
)
def test_who_asked_is_told_of_a_failure_and_webhooks_of_every_end(
    listening: Webhook, running: Resource, developer: User, kind: str, state: str, told: list[str], person: str | None
) -> None:
    Happening.objects.all().delete()
    operation = Operation.objects.create(
        resource=running, type=kind, lane="x", state="running", generation=1, deadline_at=timezone.now(),
        requested_by=developer.id,
    )  # fmt: skip
    progress.end(operation, state, "The disk is full.", timezone.now())
    assert types() == told
    assert {h.data["operation"] for h in Happening.objects.all()} == {operation.public_id}
    found = [(row.person_id, row.kind, row.link) for row in Notification.objects.all()]
    assert found == ([(developer.id, person, f"/operations/{operation.public_id}")] if person else [])


def test_of_a_failure_that_nobody_asked_for_those_hear_who_could_mend_it(
    running: Resource, owner: User, viewer: User, billing: User
) -> None:
    operation = Operation.objects.create(
        resource=running, type="backup", lane="x", state="running", generation=1, deadline_at=timezone.now()
    )
    progress.end(operation, "failed", "The disk is full.", timezone.now())
    assert [row.person_id for row in Notification.objects.all()] == [owner.id]


def test_an_unknown_act_is_told_to_nobody(listening: Webhook, running: Resource) -> None:
    Happening.objects.all().delete()
    happenings.requested(running, "service.made_up", {})
    assert types() == []
