"""``adduser`` and the seed: make what is missing, keep what is there."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core.actors import Actor
from portal.projects import access
from portal.projects.models import Membership, Organization, Project, ProjectMembership
from portal.projects.quotas import services_limit
from portal.projects.seed import seed_demo


def test_adduser_makes_what_is_missing(db: None) -> None:
    call_command("adduser", "new@example.org", "--organization", "acme-gmbh", "--project", "shop:developer")
    user = User.objects.get(email="new@example.org")
    assert Organization.objects.get(slug="acme-gmbh").name == "Acme gmbh"
    assert user.memberships.get().role == "member"
    assert user.project_memberships.get().project.organization.slug == "acme-gmbh"
    assert not user.has_usable_password()
    assert AuditEvent.objects.filter(actor_kind="system").count() == 5


def test_adduser_keeps_what_is_there(owner: User, project: Project) -> None:
    call_command("adduser", owner.email.upper(), "--organization", "acme", "--project", "acme-prod:viewer")
    assert owner.memberships.get().role == "owner"
    assert owner.project_memberships.get().role == "viewer"
    call_command("adduser", "second@acme.example", "--organization", "acme", "--role", "owner")
    call_command("adduser", owner.email, "--organization", "acme", "--role", "billing")
    assert owner.memberships.get().role == "billing"


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-address", "--organization", "acme"],
        ["a@example.org"],
        ["a@example.org", "--organization", "acme", "--role", "root"],
        ["a@example.org", "--organization", "acme", "--project", "shop:owner"],
        ["a@example.org", "--organization", "acme", "--project", "shop"],
        ["a@example.org", "--organization", "Not A Slug"],
        ["a@example.org", "--organization", "acme", "--project", "other-prod:viewer"],
    ],
)
def test_adduser_refuses_and_leaves_nothing(arguments: list[str], other_project: Project) -> None:
    with pytest.raises(CommandError):
        call_command("adduser", *arguments)
    assert not User.objects.exists()
    assert not Organization.objects.filter(slug="acme").exists()


def test_the_seed_makes_a_portal_that_can_be_used_and_may_run_again(db: None) -> None:
    seed_demo()
    before = everything()
    seed_demo()
    assert everything() == before
    admin = User.objects.get(email="admin@example.org")
    project = Project.objects.get(slug="demo")
    assert admin.is_operator
    assert services_limit(project) >= 100
    assert project.organization.memberships.get().role == "owner"
    assert "service.create" in access.permissions_in(Actor("user", admin.id, admin.email), project)


def test_the_seed_leaves_what_was_changed(db: None) -> None:
    seed_demo()
    User.objects.update(is_operator=False)
    seed_demo()
    assert not User.objects.get().is_operator


def everything() -> list[Any]:
    models: list[Any] = [User, Organization, Project, Membership, ProjectMembership, AuditEvent]
    return [list(model.objects.order_by("pk").values()) for model in models]
