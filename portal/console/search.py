"""What the command palette finds: services by name or product, offerings by what people call them, pages."""

from typing import Any

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from portal.catalog import queries as catalog
from portal.core import registry
from portal.core.actors import Actor
from portal.resources.access import visible_resources

Group = dict[str, Any]
MOST = 8


def find(actor: Actor, text: str) -> list[Group]:
    """Return the groups of hits; with no text, the pages."""
    groups = [_services(actor, text), _offerings(text), _pages(text)] if text else [_pages("")]
    return [group for group in groups if group["items"]]


def _services(actor: Actor, text: str) -> Group:
    rows = visible_resources(actor).listed().filter(_matches(text)).select_related("project")[:MOST]
    return {
        "title": _("Services"),
        "items": [
            {
                "title": row.name,
                "url": reverse("resources:service", args=[row.public_id]),
                "icon": row.offering.icon,
                "detail": f"{row.offering.name} · {row.project.name}",
            }
            for row in rows
        ],
    }


def _matches(text: str) -> Q:
    """Find a service by its name, or by the product that it is."""
    products = [
        slug for slug, offering in registry.offerings().items() if text and text.lower() in offering.name.lower()
    ]
    return Q(name__icontains=text) | Q(offering_slug__in=products)


def _offerings(text: str) -> Group:
    items = [
        {
            "title": _("Order %(name)s") % {"name": card.offering.name},
            "url": reverse("catalog:order", args=[card.offering.slug]),
            "icon": "plus",
            "detail": str(card.family),
        }
        for card in catalog.cards(text=text)[:MOST]
    ]
    return {"title": _("Catalog"), "items": items}


def _pages(text: str) -> Group:
    pages = [
        (_("Home"), reverse("console:home"), "house"),
        (_("Services"), reverse("resources:services"), "server"),
        (_("Catalog"), reverse("catalog:catalog"), "store"),
        (_("API tokens"), reverse("token_list"), "key-round"),
        (_("Audit log"), reverse("audit_list"), "scroll-text"),
        (_("API reference"), "/api/", "code"),
    ]
    hits = [{"title": title, "url": url, "icon": icon} for title, url, icon in pages if text.lower() in title.lower()]
    return {"title": _("Pages"), "items": hits}
