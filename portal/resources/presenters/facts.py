"""What was seen of a service, as lines of its details. Facts that drivers keep for themselves are not shown."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from portal.resources.models import Resource
from portal.resources.presenters.children import Cell, cell_of

# The facts that mean something to a customer, whatever the offering.
TITLES: dict[str, Promise] = {
    "disk_bytes": _("Disk used"),
    "memory_bytes": _("Memory used"),
    "connections": _("Connections"),
    "max_connections": _("Connections at most"),
    "certificate_expires_at": _("Certificate until"),
}


def facts_of(resource: Resource) -> list[Cell]:
    """Return the facts that are there, in the order above."""
    return [cell_of(name, title, resource.facts[name]) for name, title in TITLES.items() if name in resource.facts]
