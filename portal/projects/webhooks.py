"""Who may do what with the webhooks of an organization, for pages and API; what one is, ``portal.notify`` knows."""

from dataclasses import dataclass

from django.utils.translation import gettext as _

from portal.core import ids
from portal.core.actors import Actor
from portal.core.errors import FieldError, invalid, not_found
from portal.notify import actions, queries
from portal.notify.actions import Wanted
from portal.notify.models import Delivery, Webhook
from portal.projects import access
from portal.projects.models import Organization, Project

PERMISSION = "organization.webhooks"


@dataclass(frozen=True, slots=True)
class Place:
    """A webhook with its organization, which the actor may change."""

    organization: Organization
    webhook: Webhook


def access_webhook(actor: Actor, organization: str, webhook: str) -> Place:
    """Return one webhook. Raises Problem ``not_found``, or ``permission_denied`` for members without the right."""
    found = access.access_organization(actor, organization, PERMISSION)
    key = ids.decode("whk", webhook)
    hook = queries.webhooks_of(found.id).filter(id=key).first() if key else None
    if hook is None:
        raise not_found()
    return Place(found, hook)


def access_delivery(place: Place, delivery: str) -> Delivery:
    """Return one delivery of a webhook. Raises Problem ``not_found``."""
    key = ids.decode("dlv", delivery)
    found = queries.deliveries_of(place.webhook).filter(id=key).first() if key else None
    if found is None:
        raise not_found()
    return found


def create(actor: Actor, *, organization: Organization, wanted: Wanted, project: str = "") -> tuple[Webhook, str]:
    """Make a webhook for an organization, or for one of its projects (slug or id); return it with its secret."""
    access.require_in_organization(actor, organization, PERMISSION, on=organization.slug)
    access.require_open(organization)
    found = _project(organization, project) if project else None
    return actions.create_webhook(
        actor, organization_id=organization.id, project_id=found.id if found else None, wanted=wanted
    )


def project_of(place: Place) -> Project | None:
    """Return the project that a webhook is limited to."""
    key = place.webhook.project_id
    return place.organization.projects.filter(id=key).first() if key else None


def _project(organization: Organization, ref: str) -> Project:
    key = ids.decode("proj", ref)
    found = organization.projects.filter(id=key) if key else organization.projects.filter(slug=ref)
    project = found.first()
    if project is None:
        raise invalid(FieldError("/project", "unknown_project", _("The organization has no such project.")))
    return project
