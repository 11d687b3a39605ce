"""Bodies and answers of the API of people, organizations, projects, members and the audit log."""

from typing import Any

from rest_framework import serializers
from typing_extensions import TypedDict

from portal.accounts.models import User
from portal.audit.models import AuditEvent
from portal.core import ids
from portal.core.actors import Actor
from portal.core.api.serializers import Choice, Strict, Text
from portal.core.api.shapes import Moment, moment
from portal.projects import quotas
from portal.projects.audit import actor_name, public_actor, public_target, target_name
from portal.projects.models import Organization, OrganizationRole, Project, ProjectRole
from portal.projects.permissions import effective_project_role
from portal.projects.queries import Member


class ProjectBody(Strict):
    """A new project; ``organization`` is a slug or an id."""

    name = Text(max_length=120, allow_blank=False)
    organization = Text(max_length=80, allow_blank=False)
    slug = Text(max_length=63, required=False, allow_null=True, default=None)


class MemberBody(Strict):
    """Somebody of the organization, and their role in the project."""

    email = serializers.EmailField()
    project_role = Choice(choices=ProjectRole.values, allow_null=True, default=None)


class RolesBody(Strict):
    """What to change of a member's roles; ``project_role`` null takes it away."""

    organization_role = Choice(choices=OrganizationRole.values, required=False)
    project_role = Choice(choices=ProjectRole.values, allow_null=True, required=False)


class OrganizationAnswer(TypedDict):
    """A customer, and the caller's role in it."""

    id: str
    slug: str
    name: str
    role: str | None
    created_at: Moment


class ProjectAnswer(TypedDict):
    """A workspace; ``role`` is what the caller's roles in project and organization come to."""

    id: str
    slug: str
    name: str
    organization: str
    organization_slug: str
    role: str | None
    max_services: int
    created_at: Moment


class MeAnswer(TypedDict):
    """Who asks, and where they belong to."""

    kind: str
    id: str
    email: str
    name: str
    is_operator: bool
    is_support: bool
    scopes: list[str]
    organizations: list[OrganizationAnswer]
    projects: list[ProjectAnswer]


class MemberAnswer(TypedDict):
    """Somebody who belongs to a project's organization, with both roles."""

    id: str
    email: str
    name: str
    organization_role: str | None
    project_role: str | None


class AuditActor(TypedDict):
    """Who did it; ``name`` as the reader may know it."""

    kind: str
    id: str | None
    name: str
    token: str | None


class AuditTarget(TypedDict):
    """What it was done to."""

    kind: str
    id: str | None
    name: str


class AuditAnswer(TypedDict):
    """One act. ``changes`` maps a field to its old and new value."""

    id: str
    at: Moment
    actor: AuditActor
    action: str
    target: AuditTarget
    organization: str | None
    project: str | None
    outcome: str
    changes: dict[str, Any]
    reason: str
    address: str
    request_id: str


def organization_answer(organization: Organization) -> OrganizationAnswer:
    return OrganizationAnswer(
        id=organization.public_id,
        slug=organization.slug,
        name=organization.name,
        role=getattr(organization, "role", None),
        created_at=moment(organization.created_at),
    )


def project_answer(project: Project) -> ProjectAnswer:
    roles = getattr(project, "organization_role", None), getattr(project, "project_role", None)
    return ProjectAnswer(
        id=project.public_id,
        slug=project.slug,
        name=project.name,
        organization=project.organization.public_id,
        organization_slug=project.organization.slug,
        role=effective_project_role(*roles),
        max_services=quotas.services_limit(project),
        created_at=moment(project.created_at),
    )


def me_answer(user: User, actor: Actor, organizations: list[Organization], projects: list[Project]) -> MeAnswer:
    return MeAnswer(
        kind=actor.kind,
        id=user.public_id,
        email="" if user.is_machine else user.email,
        name=user.name,
        is_operator=user.is_operator,
        is_support=user.is_support,
        scopes=sorted(actor.scopes or ()),
        organizations=[organization_answer(organization) for organization in organizations],
        projects=[project_answer(project) for project in projects],
    )


def member_answer(member: Member) -> MemberAnswer:
    user = member.user
    return MemberAnswer(
        id=user.public_id,
        email=user.email,
        name=user.name,
        organization_role=member.organization_role,
        project_role=member.project_role,
    )


def audit_answer(event: AuditEvent) -> AuditAnswer:
    token = ids.encode("tok", event.token_id) if event.token_id else None
    return AuditAnswer(
        id=event.public_id,
        at=moment(event.at),
        actor=AuditActor(kind=event.actor_kind, id=public_actor(event), name=actor_name(event), token=token),
        action=event.action,
        target=AuditTarget(kind=event.target_kind, id=public_target(event), name=target_name(event)),
        organization=ids.encode("org", event.organization_id) if event.organization_id else None,
        project=ids.encode("proj", event.project_id) if event.project_id else None,
        outcome=event.outcome,
        changes=event.changes,
        reason=event.reason,
        address=event.address,
        request_id=event.request_id,
    )
