"""The tabs of a service's pages: built from its offering's declaration, and what ``settings.RESOURCE_TABS`` adds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from portal.resources.models import Resource

MANAGE = frozenset({"service.operate", "service.spend", "service.delete"})


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab: ``slug`` says which page is open."""

    slug: str
    title: str | Promise
    url: str
    active: bool = False


TabSource = Callable[[Resource, frozenset[str]], Iterable[Tab]]


def tabs_of(resource: Resource, permissions: frozenset[str], active: str) -> list[Tab]:
    """Return the tabs that this reader sees, the open one marked."""
    shown = [*_first(resource), *_kinds(resource), *_last(resource, permissions)]
    for name in getattr(settings, "RESOURCE_TABS", ()):
        source: TabSource = import_string(name)
        shown += source(resource, permissions)
    return [Tab(tab.slug, tab.title, tab.url, tab.slug == active) for tab in shown]


def _first(resource: Resource) -> Iterable[Tab]:
    yield Tab("overview", _("Overview"), _url("service", resource))
    if resource.offering.credentials_kind is not None:
        yield Tab("connect", _("Connect"), _url("connect", resource))


def _kinds(resource: Resource) -> Iterable[Tab]:
    for kind in resource.offering.children:
        url = reverse("resources:children", args=[resource.public_id, kind.slug])
        yield Tab(kind.slug, kind.plural, url)


def _last(resource: Resource, permissions: frozenset[str]) -> Iterable[Tab]:
    capabilities = resource.offering.capabilities
    if capabilities.metrics:
        yield Tab("metrics", _("Metrics"), _url("metrics", resource))
    if capabilities.logs:
        yield Tab("logs", _("Logs"), _url("logs", resource))
    yield Tab("activity", _("Activity"), _url("activity", resource))
    if MANAGE & permissions:
        yield Tab("settings", _("Settings"), _url("settings", resource))


def _url(name: str, resource: Resource) -> str:
    return reverse(f"resources:{name}", args=[resource.public_id])
