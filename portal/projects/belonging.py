"""Who belongs to an organization, with all their roles, and how much there is of what: for its pages and API."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, IntegerField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.module_loading import import_string

from portal.accounts.actors import account_of
from portal.accounts.models import User
from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import not_found
from portal.projects import access, queries
from portal.projects.models import (
    Membership,
    Organization,
    OrganizationRole,
    Project,
    ProjectMembership,
    ProjectRole,
)


@dataclass(frozen=True, slots=True)
class Part:
    """Somebody's role in one project."""

    project: Project
    role: str

    @property
    def label(self) -> str:
        return str(ProjectRole(self.role).label)


@dataclass(frozen=True, slots=True)
class Belonging:
    """A person of an organization: their role in it, and in each of its projects that names them."""

    user: User
    role: str
    parts: tuple[Part, ...] = ()

    @property
    def label(self) -> str:
        return str(OrganizationRole(self.role).label)

    def role_in(self, project: Project) -> str:
        """Return the role in one project, or nothing."""
        return next((part.role for part in self.parts if part.project.pk == project.pk), "")


@dataclass(frozen=True, slots=True)
class Services:
    """How many services a project has, and how many of them run."""

    total: int = 0
    running: int = 0


@dataclass(frozen=True, slots=True)
class ProjectLine:
    """A project as the organization's page shows it."""

    project: Project
    services: Services


# What settings.SERVICE_COUNTS names: by project, as far as the actor may see its services.
Counts = Callable[[Actor, Organization], Mapping[uuid.UUID, Services]]


def organizations(actor: Actor) -> QuerySet[Organization]:
    """Return the actor's organizations with their own ``role`` and ``project_count``, how many projects they see."""
    seen = _number_of(access.visible_projects(actor).filter(organization=OuterRef("pk")), "organization")
    return queries.organizations_of(actor).annotate(project_count=seen).order_by("name")


def role_label(actor: Actor, organization: Organization) -> str:
    """Return the name of the actor's role; nothing for the provider's people, who have none."""
    own = Membership.objects.filter(organization=organization, user_id=account_of(actor))
    role = own.values_list("role", flat=True).first()
    return str(OrganizationRole(role).label) if role else ""


def projects(actor: Actor, organization: Organization) -> list[ProjectLine]:
    """Return the projects of an organization that the actor may see, with what runs in each."""
    count: Counts = import_string(settings.SERVICE_COUNTS)
    counted = count(actor, organization)
    rows = access.visible_projects(actor).filter(organization=organization).order_by("name")
    return [ProjectLine(project, counted.get(project.id, Services())) for project in rows]


def people(organization: Organization) -> list[Belonging]:
    """Return all people of an organization, by mail address; its service accounts are on a page of their own."""
    return _with_parts(organization, list(_memberships(organization).order_by("user__email")))


def person(organization: Organization, public_id: str) -> Belonging:
    """Return one person of an organization. Raises Problem ``not_found``."""
    key = ids.decode("user", public_id)
    rows = list(_memberships(organization).filter(user_id=key)) if key else []
    if not rows:
        raise not_found()
    return _with_parts(organization, rows)[0]


def _number_of(rows: QuerySet[Any], by: str) -> Coalesce:
    counted = rows.order_by().values(by).annotate(number=Count("pk")).values("number")
    return Coalesce(Subquery(counted, output_field=IntegerField()), 0)


def _memberships(organization: Organization) -> QuerySet[Membership]:
    return Membership.objects.filter(organization=organization, user__machine_of=None).select_related("user")


def _with_parts(organization: Organization, memberships: Sequence[Membership]) -> list[Belonging]:
    parts: dict[uuid.UUID, list[Part]] = defaultdict(list)
    rows = ProjectMembership.objects.filter(
        project__organization=organization, user__in=[row.user_id for row in memberships]
    )
    for row in rows.select_related("project").order_by("project__name"):
        parts[row.user_id].append(Part(row.project, row.role))
    return [Belonging(row.user, row.role, tuple(parts[row.user_id])) for row in memberships]
