"""Reads of organizations, projects and members, for pages and API."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F, FilteredRelation, Q, QuerySet
from django.http import HttpRequest

from portal.accounts.actors import account_of
from portal.accounts.models import User
from portal.core.actors import Actor
from portal.projects import access
from portal.projects.models import Membership, Organization, Project
from portal.projects.permissions import project_permissions

SESSION_KEY = "project"


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may do something in a project, and by which roles."""

    user: User
    organization_role: str | None
    project_role: str | None

    @property
    def sees_project(self) -> bool:
        return "project.read" in project_permissions(self.organization_role, self.project_role)


def organizations_of(actor: Actor) -> QuerySet[Organization]:
    """Return the organizations that the actor belongs to, each with ``role``, their own in it."""
    mine = FilteredRelation("memberships", condition=Q(memberships__user_id=account_of(actor)))
    return access.own_organizations(actor).annotate(mine=mine, role=F("mine__role"))


def projects_of(actor: Actor) -> QuerySet[Project]:
    """Return the projects that the actor belongs to, with ``organization_role`` and ``project_role``."""
    in_project = FilteredRelation("memberships", condition=Q(memberships__user_id=account_of(actor)))
    in_organization = FilteredRelation(
        "organization__memberships", condition=Q(organization__memberships__user_id=account_of(actor))
    )
    return (
        access.own_projects(actor)
        .select_related("organization")
        .annotate(in_project=in_project, in_organization=in_organization)
        .annotate(project_role=F("in_project__role"), organization_role=F("in_organization__role"))
    )


def current_project(request: HttpRequest, actor: Actor) -> Project | None:
    """Return the project that the console shows: the one chosen in this session, else the person's first."""
    chosen = request.session.get(SESSION_KEY)
    visible = access.visible_projects(actor).select_related("organization")
    project = visible.filter(slug=chosen).first() if chosen else None
    return project or access.own_projects(actor).select_related("organization").first()


def members_of(project: Project, *, everybody: bool) -> list[Member]:
    """Return who may see the project, by mail address, with both roles; or everybody in its organization."""
    roles = dict(project.memberships.values_list("user_id", "role"))
    memberships = Membership.objects.filter(organization=project.organization_id).select_related("user")
    people = [Member(m.user, m.role, roles.get(m.user_id)) for m in memberships.order_by("user__email")]
    return [person for person in people if everybody or person.sees_project]


def names_of(people: Iterable[uuid.UUID | None]) -> dict[uuid.UUID, str]:
    """Return the mail addresses of people by id, for pages that show who did something."""
    return dict(User.objects.filter(id__in={person for person in people if person}).values_list("id", "email"))
