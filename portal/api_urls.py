"""All addresses under ``/api/v1/``, and the document that describes them. Families bring theirs in ``api/urls.py``."""

from importlib.util import find_spec

from django.apps import apps
from django.urls import URLPattern, URLResolver, include, path

from portal.core.api.reference import document, reference, reference_script

OWN = ("accounts", "notify", "projects", "audit", "clusters", "catalog", "resources")


def included() -> list[URLPattern | URLResolver]:
    """Return the endpoints of the portal's packages and of every app that has some."""
    names = [f"portal.{name}" for name in OWN]
    names += [config.name for config in apps.get_app_configs() if config.name.startswith("apps.")]
    return [path("", include(f"{name}.api.urls")) for name in names if _has_endpoints(name)]


def _has_endpoints(name: str) -> bool:
    return find_spec(f"{name}.api") is not None and find_spec(f"{name}.api.urls") is not None


# Mounted at /api/, beside the endpoints.
reference_urls: list[URLPattern | URLResolver] = [
    path("", reference, name="api_reference"),
    path("reference.js", reference_script, name="api_reference_script"),
]
urlpatterns: list[URLPattern | URLResolver] = [path("openapi.json", document, name="openapi"), *included()]
