"""Who says no to an order: limits of project and organization, and what ``settings.ADMISSION`` names (budgets …)."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.core.actors import Actor
from portal.core.api.shapes import plain_number
from portal.core.errors import Problem
from portal.core.offerings import Offering, Plan
from portal.core.specs import Spec
from portal.projects import access
from portal.projects.models import Organization, Project
from portal.resources import quotas
from portal.resources.models import Resource


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be admitted. ``resource`` is set where an existing service changes.

    ``moves``: it comes from another project of the same organization, whose own limits it counts for already.
    """

    actor: Actor
    project: Project
    offering: Offering
    plan: Plan
    cluster: Cluster
    spec: Spec
    resource: Resource | None = None
    moves: bool = False

    @property
    def after(self) -> quotas.Amounts:
        """What it takes of the project's limits once it is done, with all that comes along."""
        return quotas.planned(self.offering, self.plan, self.spec)

    @property
    def before(self) -> quotas.Amounts:
        """What the service takes of them now; nothing where it is new or comes back from the bin."""
        return quotas.taken_by(self.resource) if self.resource else {}


def admit(request: Request) -> None:
    """Ask everybody; the first who refuses raises a Problem. Organization and project are locked while it counts."""
    organization = Organization.objects.select_for_update(no_key=True).get(id=request.project.organization_id)
    access.require_open(organization)
    project = Project.objects.select_for_update(no_key=True).get(id=request.project.id)
    project.organization = organization
    _within_limits(project, request.after, request.before, of_project_alone=request.moves)
    for name in settings.ADMISSION:
        judge: Callable[[Request], None] = import_string(name)
        judge(request)


def _within_limits(
    project: Project, after: quotas.Amounts, before: quotas.Amounts, *, of_project_alone: bool = False
) -> None:
    if all(amount <= before.get(name, 0) for name, amount in after.items()):
        return
    for effect in quotas.effects(project, after, before):
        if effect.exceeds and (effect.project or not of_project_alone):
            raise _exceeded(effect)


def _exceeded(effect: quotas.Effect) -> Problem:
    """Return the refusal: which limit, how it stands, what was asked for, and where more can be asked for."""
    words = {
        "what": effect.name,
        "used": plain_number(effect.used),
        "limit": effect.limit,
        "adds": plain_number(effect.adds),
        "place": effect.page,
    }
    detail = (
        _("The project's limit is reached: %(what)s, %(used)s of %(limit)s in use and %(adds)s more asked for.")
        if effect.project
        else _("The organization's limit is reached: %(what)s, %(used)s of %(limit)s in use, %(adds)s more asked for.")
    )
    remedy = _("Delete or shrink something, or ask for more at %(place)s.")
    extra = {
        "resource": effect.resource,
        "quota": effect.limit,
        "current": words["used"],
        "requested": words["adds"],
        "project": effect.project or None,
        "help": words["place"],
    }
    return Problem("quota_exceeded", HTTPStatus.FORBIDDEN, f"{detail} {remedy}" % words, extra=extra)


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
