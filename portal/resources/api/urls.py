"""Addresses of services and operations under ``/api/v1/``."""

from django.urls import path

from portal.resources.api.views import children, credentials, moving, operations, quotes, seen, services, verbs

SERVICE = "services/<str:service>"
CREDENTIAL = f"{SERVICE}/credentials/<str:credential>"
CHILD = f"{SERVICE}/<slug:kind>/<str:child>"

urlpatterns = [
    path("projects/<str:project>/services", services.project_services),
    path("services", services.all_services),
    path(SERVICE, services.service),
    path(f"{SERVICE}/resize", verbs.resize),
    path(f"{SERVICE}/stop", verbs.stop),
    path(f"{SERVICE}/start", verbs.start),
    path(f"{SERVICE}/restart", verbs.restart),
    path(f"{SERVICE}/upgrade", verbs.upgrade),
    path(f"{SERVICE}/restore", verbs.restore),
    path(f"{SERVICE}/fork", verbs.fork),
    path(f"{SERVICE}/undelete", verbs.undelete),
    path(f"{SERVICE}/move", moving.move),
    path(f"{SERVICE}/endpoints", seen.endpoints),
    path(f"{SERVICE}/logs", seen.logs),
    path(f"{SERVICE}/metrics", seen.metrics),
    path(f"{SERVICE}/events", seen.events),
    path(f"{SERVICE}/operations", operations.service_operations),
    path(f"{SERVICE}/credentials", credentials.credentials),
    path(CREDENTIAL, credentials.credential),
    path(f"{CREDENTIAL}/reveal", credentials.reveal),
    path(f"{CREDENTIAL}/rotate", credentials.rotate),
    path(f"{CREDENTIAL}/complete", credentials.complete),
    path(f"{SERVICE}/<slug:kind>", children.children),
    path(f"{SERVICE}/<slug:kind>/batch", children.many),
    path(CHILD, children.child),
    path(f"{CHILD}/cancel", children.cancel),
    path(f"{CHILD}/retry", children.retry),
    path(f"{CHILD}/download", children.download),
    path(f"{CHILD}/link", children.link),
    path("operations/<str:operation>", operations.operation),
    path("operations/<str:operation>/cancel", operations.cancel),
    path("quotes", quotes.quotes),
]
