"""All addresses. Families bring their own in ``<app>/urls.py``; nothing here names an offering."""

from importlib.util import find_spec

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from portal.api_urls import reference_urls

own = [
    path("", include("portal.instance.urls")),
    path("", include("portal.console.urls")),
    path("", include("portal.accounts.urls")),
    path("", include("portal.notify.urls")),
    path("", include("portal.projects.urls")),
    path("", include("portal.clusters.urls")),
    path("", include("portal.catalog.urls")),
    path("", include("portal.resources.urls")),
    path("api/v1/", include("portal.api_urls")),
    path("api/", include(reference_urls)),
    path("admin/", admin.site.urls),
]


def families() -> list[URLPattern | URLResolver]:
    """Return the pages that the apps under ``apps/`` bring along."""
    names = [config.name for config in apps.get_app_configs() if config.name.startswith("apps.")]
    return [path("", include(f"{name}.urls")) for name in names if find_spec(f"{name}.urls")]


urlpatterns: list[URLPattern | URLResolver] = [*own, *families()]
