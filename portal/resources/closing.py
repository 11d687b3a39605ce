"""What stands in the way of closing an organization, and how it is cleared: all its services into the bin."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils.translation import gettext as _

from portal.core.actors import Actor
from portal.core.errors import Problem
from portal.projects import access
from portal.projects.belonging import Services
from portal.projects.governing import Running
from portal.projects.models import Organization
from portal.resources import actions
from portal.resources.access import visible_resources
from portal.resources.models import Resource
from portal.resources.querysets import ResourceQuerySet

AT_ONCE = 200  # services that one request puts into the bin


@dataclass(frozen=True, slots=True)
class Cleared:
    """What "delete all" did: how many are on their way to the bin, and who refused with which words."""

    deleted: int
    refused: tuple[tuple[Resource, str], ...]


def counts_of(actor: Actor, organization: Organization) -> Mapping[uuid.UUID, Services]:
    """Return how many services each project of an organization has and how many run (settings.SERVICE_COUNTS)."""
    rows = visible_resources(actor).listed().filter(project__organization=organization).order_by()
    counted = rows.values("project_id").annotate(total=Count("id"), up=Count("id", filter=Q(state="running")))
    return {row["project_id"]: Services(row["total"], row["up"]) for row in counted}


def remaining(organization: Organization) -> ResourceQuerySet:
    """Return the services that are neither in the bin nor gone; what they brought along goes with them."""
    return Resource.objects.listed().filter(project__organization=organization)


def what_still_runs(organization: Organization) -> list[Running]:
    """Return what keeps an organization from closing (settings.CLOSING_GUARDS)."""
    rows = remaining(organization).select_related("project").order_by("project__slug", "name")
    return [Running(f"{row.project.slug}/{row.name}", row.public_id, row.state) for row in rows]


def delete_all(actor: Actor, *, organization: Organization) -> Cleared:
    """Ask for every service of an organization to go to the bin, users of a service before the service itself.

    Each is an act of its own, with its own rights, final backup and audit row; what refuses is named and left. At most
    ``AT_ONCE`` are asked for, so that no request takes minutes. Raises Problem ``permission_denied``.
    """
    access.require_in_organization(actor, organization, "organization.close", on=organization.slug)
    living = remaining(organization).filter(deletion_requested_at=None)
    waiting = list(living.select_related("project__organization", "cluster", "region").order_by("-id")[:AT_ONCE])
    deleted, refusals = 0, _delete_each(actor, waiting)
    while refusals and len(refusals) < len(waiting):  # what was used may be free now that its users are on their way
        deleted += len(waiting) - len(refusals)
        waiting = [row for row, _why in refusals]
        refusals = _delete_each(actor, waiting)
    deleted += len(waiting) - len(refusals)
    return Cleared(deleted, tuple(refusals))


def _delete_each(actor: Actor, rows: list[Resource]) -> list[tuple[Resource, str]]:
    refused = []
    for row in rows:
        try:
            actions.delete(actor, row)
        except Problem as problem:
            refused.append((row, problem.detail))
    return refused


def words_of(cleared: Cleared) -> str:
    """Say in one line what was done and what was not."""
    done = _("%(number)d services are on their way to the bin.") % {"number": cleared.deleted}
    if not cleared.refused:
        return done
    names = ", ".join(row.name for row, _why in cleared.refused[:10])
    return f"{done} " + _("These were left: %(names)s.") % {"names": names}
