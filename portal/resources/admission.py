"""Who says no to an order: the project's limit, and whatever ``settings.ADMISSION`` names (budgets, policies)."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.core.offerings import Offering, Plan
from portal.core.specs import Spec
from portal.projects.models import Project
from portal.resources.models import Resource
from portal.resources.parts import PlannedPart, with_parts_of_parts


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be admitted. ``resource`` is set where an existing service changes."""

    actor: Actor
    project: Project
    offering: Offering
    plan: Plan
    cluster: Cluster
    spec: Spec
    resource: Resource | None = None

    @property
    def brings(self) -> tuple[PlannedPart, ...]:
        """What comes along, however deep."""
        return tuple(with_parts_of_parts(self.offering, self.plan, self.spec))

    @property
    def adds(self) -> int:
        """How many services there would be more."""
        if self.resource is None:
            return 1 + len(self.brings)
        row = self.resource
        return len(self.brings) - len(tuple(with_parts_of_parts(row.offering, row.plan, row.load_spec())))


def admit(request: Request) -> None:
    """Ask everybody; the first who refuses raises a Problem. Counting happens under a lock on the project."""
    project = Project.objects.select_for_update(no_key=True).get(id=request.project.id)
    if request.adds > 0:
        _within_limit(project, request.adds)
    for name in settings.ADMISSION:
        judge: Callable[[Request], None] = import_string(name)
        judge(request)


def _within_limit(project: Project, adds: int) -> None:
    current = Resource.objects.living().filter(project=project).count()
    if current + adds <= project.max_services:
        return
    detail = _("Project %(project)s has %(current)d of %(limit)d services. Delete one, or ask for more.") % {
        "project": project.slug,
        "current": current,
        "limit": project.max_services,
    }
    extra = {"resource": "services", "quota": project.max_services, "current": current, "requested": adds}
    raise Problem("quota_exceeded", HTTPStatus.FORBIDDEN, detail, extra=extra)


def one_organization_without_isolation(request: Request) -> None:
    """Without tested isolation this machine serves one organization only (DESIGN 12)."""
    cluster = request.cluster
    if cluster.kind != Cluster.Kind.LOCAL or cluster.capabilities.get("isolation", False):
        return
    others = Resource.objects.filter(cluster=cluster, purged_at=None)
    if others.exclude(project__organization=request.project.organization_id).exists():
        detail = _(
            "This region can't keep customers apart on its host, so it serves the one organization it has already."
        )
        raise Problem("region_not_isolated", HTTPStatus.FORBIDDEN, detail, extra={"region": cluster.region.slug})
