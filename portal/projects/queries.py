"""Reads of organizations, projects and members, for pages and API."""

from dataclasses import dataclass

from django.db.models import F, FilteredRelation, Q, QuerySet
from django.http import HttpRequest

from portal.accounts.actors import account_of
from portal.accounts.models import User
from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import not_found
from portal.projects import access, quotas
from portal.projects.models import Membership, Organization, OrganizationRole, Project, ProjectRole
from portal.projects.permissions import project_permissions

SESSION_KEY = "project"
KEPT = "_current_project"  # on the request


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who may do something in a project, and by which roles."""

    user: User
    organization_role: str | None
    project_role: str | None

    @property
    def organization_label(self) -> str:
        return str(OrganizationRole(self.organization_role).label) if self.organization_role else ""

    @property
    def project_label(self) -> str:
        return str(ProjectRole(self.project_role).label) if self.project_role else ""

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
        quotas.with_services_limit(access.own_projects(actor))
        .select_related("organization")
        .annotate(in_project=in_project, in_organization=in_organization)
        .annotate(project_role=F("in_project__role"), organization_role=F("in_organization__role"))
    )


def current_project(request: HttpRequest, actor: Actor) -> Project | None:
    """Return the project that the console shows: the one chosen in this session, else the person's first.

    A page asks more than once, for itself and for its frame; it is looked up once.
    """
    if not hasattr(request, KEPT):
        setattr(request, KEPT, _current_project(request, actor))
    found: Project | None = getattr(request, KEPT)
    return found


def _current_project(request: HttpRequest, actor: Actor) -> Project | None:
    chosen = request.session.get(SESSION_KEY)
    visible = access.visible_projects(actor).select_related("organization")
    project = visible.filter(slug=chosen).first() if chosen else None
    return project or access.own_projects(actor).select_related("organization").first()


def members_of(project: Project, *, everybody: bool) -> list[Member]:
    """Return who may see the project, by mail address, with both roles; or everybody in its organization."""
    roles = dict(project.memberships.values_list("user_id", "role"))
    people = Membership.objects.filter(organization=project.organization_id, user__machine_of=None)
    memberships = people.select_related("user")
    found = [Member(m.user, m.role, roles.get(m.user_id)) for m in memberships.order_by("user__email")]
    return [person for person in found if everybody or person.sees_project]


def member_of(project: Project, user: User) -> Member:
    """Return one person with both roles."""
    in_organization = Membership.objects.filter(organization=project.organization_id, user=user)
    in_project = project.memberships.filter(user=user)
    return Member(user, *(rows.values_list("role", flat=True).first() for rows in (in_organization, in_project)))


def access_member(project: Project, public_id: str) -> User:
    """Return a person of the project's organization. Raises Problem ``not_found``."""
    key = ids.decode("user", public_id)
    people = User.objects.filter(memberships__organization=project.organization_id, machine_of=None)
    user = people.filter(id=key).first() if key else None
    if user is None:
        raise not_found()
    return user
