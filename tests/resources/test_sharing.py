"""Links to a backup's file: who may make one, what it opens, and all that ends it."""

import datetime
import io
from collections.abc import Callable

import pytest
from django.core import signing
from django.test import Client

from portal.accounts.models import ApiToken, User
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.projects.models import Project, ProjectMembership
from portal.resources import actions
from portal.resources.actions import sharing
from portal.resources.models import Child, Resource
from tests.resources.conftest import turn
from tests.resources.doubles import TOY, MemoryBackend
from tests.resources.test_actions import refused

pytestmark = pytest.mark.django_db


@pytest.fixture
def dump(running: Resource, actor: Actor, kernel: MemoryBackend) -> Child:
    """A backup that is there, with a file."""
    kernel.artifact = lambda handle, name: io.BytesIO(b"all the data")  # type: ignore[method-assign]
    kind = TOY.child("backups")
    assert kind is not None
    made = actions.create_child(actor, running, kind, name="", spec={}).child
    turn(running)
    assert made is not None
    Child.objects.filter(id=made.id).update(facts={"artifact": "a.dump"}, state="succeeded")
    return Child.objects.select_related("resource__project__organization", "resource__cluster").get(id=made.id)


def status(path: str) -> int:
    return Client().get(path).status_code


def test_a_link_needs_no_session_and_making_and_using_it_are_audited(
    dump: Child, actor: Actor, viewer: User, actor_of: Callable[..., Actor]
) -> None:
    link = sharing.share(actor, dump)
    answer = Client().get(link.path)
    assert b"".join(answer.streaming_content) == b"all the data"  # type: ignore[attr-defined]
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["Content-Disposition"].startswith('attachment; filename="box-')
    made = AuditEvent.objects.get(action="service.download_link")
    used = AuditEvent.objects.get(action="service.download")
    assert (made.actor_id, used.actor_id, used.reason) == (actor.id, actor.id, "by link")
    assert Client().post(link.path).status_code == 405
    with refused("permission_denied"):
        sharing.share(actor_of(viewer), dump)
    dump.state = "failed"
    with refused("transient_state"):
        sharing.share(actor, dump)


def test_it_ends_after_ten_minutes_and_with_any_change(
    dump: Child, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = sharing.share(actor, dump)
    other = signing.dumps({"child": str(dump.id), "user": str(actor.id), "token": None}, salt="another")
    for path in (link.path[:-1], link.path + "x", f"/download/{other}", "/download/x", "/download/a:b:c"):
        assert status(path) == 404
    assert status(link.path) == 200
    later = link.expires_at + datetime.timedelta(seconds=1)
    monkeypatch.setattr("django.core.signing.time.time", later.timestamp)
    assert status(link.path) == 404
    assert AuditEvent.objects.filter(action="service.download").count() == 1


def test_it_never_opens_more_than_its_maker_may_see_now(
    dump: Child, actor: Actor, developer: User, project: Project
) -> None:
    link = sharing.share(actor, dump)
    membership = ProjectMembership.objects.get(user=developer, project=project)
    for role, expected in (("viewer", 404), ("developer", 200)):
        ProjectMembership.objects.filter(pk=membership.pk).update(role=role)
        assert status(link.path) == expected
    User.objects.filter(id=developer.id).update(is_active=False)
    assert status(link.path) == 404
    User.objects.filter(id=developer.id).update(is_active=True)
    dump.delete()
    assert status(link.path) == 404


def test_it_ends_with_the_token_that_made_it(dump: Child, developer: User, actor_of: Callable[..., Actor]) -> None:
    narrowed = actor_of(developer, "write")
    link = sharing.share(narrowed, dump)
    assert status(link.path) == 200
    ApiToken.objects.filter(id=narrowed.token_id).update(revoked_at=link.expires_at)
    assert status(link.path) == 404
