"""What people do to services: each verb with its success, its refusals, its audit row and its line for the bill."""

from collections.abc import Callable

import pytest
from django.utils import timezone

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects.models import Project
from portal.resources import actions
from portal.resources.models import Change, Child, Operation, Resource
from tests.fixtures import limit
from tests.resources.conftest import turn
from tests.resources.doubles import BACKUPS, USERS, MemoryBackend

pytestmark = pytest.mark.django_db


def refused(code: str, pointer: str = "") -> "pytest.RaisesExc[Problem]":
    def fits(problem: Problem) -> bool:
        return problem.code == code and (not pointer or pointer in [e.pointer for e in problem.errors])

    return pytest.raises(Problem, check=fits)


def test_an_order_is_recorded_for_bill_and_audit_and_needs_the_right(
    order: Callable[..., Operation], viewer: User, project: Project, actor_of: Callable[..., Actor]
) -> None:
    resource = order(tags={"team": "a"}).resource
    change = Change.objects.get(resource=resource)
    assert (change.plan_slug, change.running, change.tags) == ("dev-2", True, {"team": "a"})
    assert AuditEvent.objects.get(action="service.create").target_id == resource.id
    with refused("permission_denied"):
        request = actions.OrderRequest(name="b", offering="toy")
        actions.order(actor_of(viewer), project=project, request=request)


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": "Upper"}, "/name"),
        ({"name": ""}, "/name"),
        ({"name": "a" * 64}, "/name"),
        ({"name": "a\n"}, "/name"),
        ({"version": "99"}, "/version"),
        ({"version": "1"}, "/acknowledge"),
        ({"plan": "huge"}, "/plan"),
        ({"region": "mars"}, "/region"),
        ({"spec": {"disk_gib": 0}}, "/spec/disk_gib"),
        ({"spec": {"nope": 1}}, "/spec/nope"),
        ({"tags": {"bad key": "x"}}, "/tags/bad key"),
        ({"tags": {"archipel.x": "x"}}, "/tags/archipel.x"),
    ],
)
def test_a_bad_order_names_the_field_and_leaves_nothing(
    order: Callable[..., Operation], fields: dict[str, object], pointer: str
) -> None:
    with refused("invalid_arguments", pointer):
        order(**{"name": "box", **fields})
    assert not Resource.objects.exists()


def test_a_plan_that_this_region_cannot_honour_says_what_it_needs(order: Callable[..., Operation]) -> None:
    with pytest.raises(Problem, match="needs a Kubernetes region"):
        order(plan="ha-8")


def test_an_ended_version_needs_a_tick(order: Callable[..., Operation]) -> None:
    assert order(version="1", acknowledge=("end_of_support",)).resource.release == "1.0"


def test_a_name_is_unique_among_the_living(order: Callable[..., Operation], actor: Actor) -> None:
    first = order("box").resource
    with refused("name_taken", "/name"):
        order("box")
    actions.delete(actor, first, policy="wipe")
    assert order("box").resource.id != first.id


def test_the_projects_limit_holds(order: Callable[..., Operation], project: Project) -> None:
    limit(project, 1)
    order("one")
    with refused("quota_exceeded"):
        order("two")


def test_two_changes_at_once_the_second_is_told_what_runs(running: Resource, actor: Actor) -> None:
    first = actions.resize(actor, running, plan="standard-4")
    with pytest.raises(Problem) as caught:
        actions.restart(actor, running)
    assert caught.value.code == "operation_in_progress"
    assert caught.value.extra["operation"] == first.public_id
    turn(running)
    assert actions.restart(actor, running).type == "restart"


def test_a_resize_moves_the_bill_and_refuses_a_smaller_disk(running: Resource, actor: Actor) -> None:
    operation = actions.resize(actor, running, plan="standard-4")
    resource = turn(running)
    operation.refresh_from_db()
    assert (resource.plan_slug, operation.state) == ("standard-4", "succeeded")
    assert list(Change.objects.filter(resource=running).values_list("plan_slug", flat=True)) == ["dev-2", "standard-4"]
    with refused("invalid_arguments", "/plan"):
        actions.resize(actor, resource, plan="dev-2")
    with refused("invalid_arguments", "/plan"):
        actions.resize(actor, resource, plan="standard-4")


def test_stop_and_start(running: Resource, actor: Actor) -> None:
    actions.stop(actor, running)
    resource = turn(running)
    assert resource.state == "stopped"
    with refused("transient_state"):
        actions.restart(actor, resource)
    actions.start(actor, resource)
    assert Resource.objects.get(id=running.id).state == "starting"
    assert turn(resource).state == "running"
    assert list(Change.objects.filter(resource=running).values_list("running", flat=True)) == [True, False, True]


def test_an_upgrade_goes_up_within_its_line_only(order: Callable[..., Operation], actor: Actor) -> None:
    resource = turn(order(version="2.0").resource)
    with refused("invalid_arguments", "/version"):
        actions.upgrade(actor, resource, version="1.0")
    actions.upgrade(actor, resource, version="2.1")
    resource = turn(resource)
    assert resource.release == "2.1"
    with refused("invalid_arguments", "/version"):
        actions.upgrade(actor, resource, version="2.1")


def test_an_edit_respects_the_etag_and_the_fields_bounds(running: Resource, actor: Actor) -> None:
    with refused("precondition_failed"):
        actions.edit(actor, running, changes=actions.Edit(name="x"), if_match='"99"')
    assert actions.edit(actor, running, changes=actions.Edit(name="renamed"), if_match=running.etag) is None
    resource = Resource.objects.get(id=running.id)
    assert (resource.name, resource.etag != running.etag) == ("renamed", True)
    with refused("invalid_arguments", "/spec/born_with"):
        actions.edit(actor, running, changes=actions.Edit(spec={"born_with": "b"}))
    actions.edit(actor, running, changes=actions.Edit(spec={"disk_gib": 20}))
    turn(running)
    with refused("invalid_arguments", "/spec/disk_gib"):
        actions.edit(actor, running, changes=actions.Edit(spec={"disk_gib": 10}))


def test_a_protected_service_stays(running: Resource, actor: Actor) -> None:
    actions.edit(actor, running, changes=actions.Edit(protected=True))
    with refused("resource_protected"):
        actions.delete(actor, running, policy="wipe")
    actions.edit(actor, running, changes=actions.Edit(protected=False))
    assert actions.delete(actor, running, policy="wipe").type == "delete"


def test_the_bin_keeps_a_final_backup_and_gives_the_service_back(running: Resource, actor: Actor) -> None:
    operation = actions.delete(actor, running)
    resource = turn(running, 5)
    operation.refresh_from_db()
    assert (resource.state, operation.state) == ("deleted", "succeeded")
    assert resource.purge_after is not None
    assert resource.next_reconcile_at == resource.purge_after
    final = Child.objects.get(resource=running, kind="backups")
    assert (final.facts["final"], final.state) == (True, "succeeded")
    actions.undelete(actor, resource)
    assert turn(resource).state == "running"
    with refused("transient_state"):
        actions.undelete(actor, resource)


def test_wiping_leaves_a_tombstone_and_nothing_on_the_backend(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    kernel.obey = False
    actions.delete(actor, running, policy="wipe")
    assert turn(running, 1).state == "deleting"
    kernel.obey = True
    resource = turn(running, 2)
    assert resource.state == "purged"
    assert running.handle not in kernel.wanted
    last = Change.objects.filter(resource=running).last()
    assert last is not None
    assert last.present is False


def test_the_bin_empties_itself(running: Resource, actor: Actor) -> None:
    actions.delete(actor, running)
    turn(running, 5)
    Resource.objects.filter(id=running.id).update(purge_after=timezone.now())
    assert turn(running, 2).state == "purged"


def test_an_order_that_never_ran_can_be_cancelled(
    order: Callable[..., Operation], actor: Actor, kernel: MemoryBackend
) -> None:
    kernel.obey = False
    operation = order()
    turn(operation.resource, 1)
    actions.cancel_operation(actor, operation)
    kernel.obey = True
    assert turn(operation.resource, 2).state == "purged"
    operation.refresh_from_db()
    assert operation.state == "cancelled"


def test_a_child_is_made_changed_and_taken_away(running: Resource, actor: Actor) -> None:
    operation = actions.create_child(actor, running, USERS, name="alice", spec={"access": "write"})
    turn(running)
    operation.refresh_from_db()
    assert operation.state == "succeeded"
    alice = Child.objects.get(name="alice")
    with refused("name_taken", "/name"):
        actions.create_child(actor, running, USERS, name="alice")
    with refused("invalid_arguments", "/name"):
        actions.create_child(actor, running, USERS, name="Robert'); DROP TABLE")
    with refused("invalid_arguments", "/spec/main"):
        actions.create_child(actor, running, USERS, name="eve", spec={"main": True})
    actions.edit_child(actor, alice, spec={"access": "read"})
    turn(running)
    alice.refresh_from_db()
    assert (alice.spec["access"], alice.state) == ("read", "ready")
    gone = actions.delete_child(actor, alice)
    turn(running)
    gone.refresh_from_db()
    assert (gone.state, Child.objects.filter(name="alice").exists()) == ("succeeded", False)


def test_the_main_login_stays(running: Resource, actor: Actor) -> None:
    with refused("resource_protected"):
        actions.delete_child(actor, Child.objects.get(name="admin"))


def test_a_failed_run_says_why_and_can_be_tried_again(running: Resource, actor: Actor, kernel: MemoryBackend) -> None:
    operation = actions.create_child(actor, running, BACKUPS)
    kernel.failing_children.add(operation.child_name)
    turn(running)
    operation.refresh_from_db()
    assert (operation.state, operation.message) == ("failed", "it broke")
    kernel.failing_children.clear()
    backup = Child.objects.get(id=operation.child_id)
    again = actions.retry_child(actor, backup)
    turn(running)
    again.refresh_from_db()
    assert again.state == "succeeded"


def test_only_one_backup_runs_at_a_time_and_it_can_be_cancelled(
    running: Resource, actor: Actor, kernel: MemoryBackend
) -> None:
    kernel.obey = False
    operation = actions.create_child(actor, running, BACKUPS)
    with refused("operation_in_progress"):
        actions.create_child(actor, running, BACKUPS)
    assert actions.create_child(actor, running, USERS, name="alice").state == "queued"
    actions.cancel_operation(actor, operation)
    assert Child.objects.get(id=operation.child_id).cancel_requested is True


def test_a_backup_is_restored_into_a_new_service_with_its_parts(running: Resource, actor: Actor) -> None:
    backup = actions.create_child(actor, running, BACKUPS).child
    assert backup is not None
    with refused("invalid_arguments", "/backup"):
        actions.restore(actor, running, backup=backup, target_name="copy")
    turn(running)
    backup.refresh_from_db()
    operation = actions.restore(actor, running, backup=backup, target_name="copy")
    copy = operation.resource
    assert (copy.name, copy.state, copy.origin["handle"]) == ("copy", "restoring", running.handle)
    assert Child.objects.filter(resource=copy, kind="users", name="admin").exists()
    assert turn(copy).state == "running"
    with refused("not_supported", "/time"):
        actions.restore(actor, running, backup=None, time=timezone.now(), target_name="later")


def test_a_backup_is_restored_in_place(running: Resource, actor: Actor) -> None:
    backup = actions.create_child(actor, running, BACKUPS).child
    assert backup is not None
    turn(running)
    backup.refresh_from_db()
    operation = actions.restore(actor, running, backup=backup, in_place=True)
    assert Resource.objects.get(id=running.id).state == "restoring"
    assert turn(running).state == "running"
    operation.refresh_from_db()
    assert operation.state == "succeeded"


def test_a_credential_is_exchanged_without_a_gap(running: Resource, actor: Actor) -> None:
    admin = Child.objects.get(resource=running, name="admin")
    operation = actions.rotate_credential(actor, admin)
    with refused("rotation_not_ready"):
        actions.complete_rotation(actor, admin)
    turn(running)
    operation.refresh_from_db()
    assert (operation.state, operation.child_name) == ("succeeded", "admin-2")
    with refused("rotation_in_progress"):
        actions.rotate_credential(actor, admin)
    actions.complete_rotation(actor, admin)
    turn(running)
    left = Child.objects.get(resource=running, kind="users")
    assert (left.name, left.spec["main"], left.spec["predecessor"]) == ("admin-2", True, None)


def test_a_secret_is_shown_on_request_and_the_showing_is_audited(
    running: Resource, actor: Actor, viewer: User, actor_of: Callable[..., Actor]
) -> None:
    admin = Child.objects.get(resource=running, name="admin")
    shown = actions.reveal(actor, admin)
    assert str(shown["password"]).startswith("canary-")
    assert str(shown["password"]) in str(shown["uri"])
    assert AuditEvent.objects.filter(action="service.reveal").count() == 1
    assert "canary-" not in str(list(AuditEvent.objects.values()))
    with refused("permission_denied"):
        actions.reveal(actor_of(viewer), admin)


def test_only_an_operator_forces_a_deletion_and_says_why(
    running: Resource, actor: Actor, operator: User, actor_of: Callable[..., Actor]
) -> None:
    with refused("permission_denied"):
        actions.force_delete(actor, running, reason="because")
    with refused("invalid_arguments", "/reason"):
        actions.force_delete(actor_of(operator), running, reason=" ")
    actions.force_delete(actor_of(operator), running, reason="host is gone")
    assert AuditEvent.objects.get(action="service.force_delete").reason == "host is gone"


def test_a_linked_service_stays_as_long_as_it_is_used(
    order: Callable[..., Operation], running: Resource, actor: Actor
) -> None:
    user = turn(order("user", spec={"store": running.public_id}).resource)
    with pytest.raises(Problem, match="used by: user") as caught:
        actions.delete(actor, running)
    assert caught.value.code == "resource_in_use"
    with refused("invalid_arguments", "/spec/store"):
        order("lost", spec={"store": "svc_00000000000000000000000000"})
    actions.edit(actor, user, changes=actions.Edit(spec={"store": None}))
    assert actions.delete(actor, running).type == "delete"


def test_a_service_of_another_project_cannot_be_linked(
    order: Callable[..., Operation], running: Resource, other_project: Project
) -> None:
    Resource.objects.filter(id=running.id).update(project=other_project)
    with refused("invalid_arguments", "/spec/store"):
        order("thief", spec={"store": running.public_id})
