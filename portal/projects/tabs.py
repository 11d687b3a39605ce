"""The tabs of an organization's pages: what this reader may see of it."""

from dataclasses import dataclass

from django.urls import NoReverseMatch, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.core.actors import Actor
from portal.projects import access
from portal.projects.models import Organization

# Slug, title, name of the address, permission.
TABS: tuple[tuple[str, Promise, str, str], ...] = (
    ("overview", _("Overview"), "organization_detail", "organization.read"),
    ("members", _("Members"), "organization_members", "organization.people"),
    ("invitations", _("Invitations"), "organization_invitations", "organization.members"),
    ("machines", _("Service accounts"), "machine_list", "organization.machines"),
    ("quotas", _("Quotas"), "organization_quotas", "costs.read"),
    ("webhooks", _("Webhooks"), "webhook_list", "organization.webhooks"),
    ("security", _("Security"), "organization_security", "organization.edit"),
    ("settings", _("Settings"), "organization_settings", "organization.read"),
)


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab; ``active`` where its page is open."""

    slug: str
    title: str | Promise
    url: str
    active: bool


def tabs_of(actor: Actor, organization: Organization, active: str) -> list[Tab]:
    """Return the tabs that the actor sees, the open one marked."""
    own = access.permissions_in_organization(actor, organization)
    return [
        Tab(slug, title, url, slug == active)
        for slug, title, name, permission in TABS
        if permission in own and (url := _address(name, organization))
    ]


def _address(name: str, organization: Organization) -> str:
    """Return a page's address; nothing where this installation leaves the page out."""
    try:
        return reverse(name, args=[organization.slug])
    except NoReverseMatch:
        return ""
