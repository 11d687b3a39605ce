"""The console's addresses of services, included at the root. What has a fixed word comes before the kinds of parts."""

from django.contrib import admin
from django.urls import path

from portal.core.htmx import signed_in as seen
from portal.resources.views import (
    activity,
    children,
    closing,
    connect,
    logs,
    many,
    metrics,
    moving,
    operations,
    packages,
    restore,
    service,
    services,
    shared,
    verbs,
)
from portal.resources.views import settings as settings_views

app_name = "resources"
SERVICE = "services/<str:service_id>"
CREDENTIAL = f"{SERVICE}/connect/<str:credential_id>"
CHILD = f"{SERVICE}/<slug:kind>/<str:child_id>"

urlpatterns = [
    path("admin/packages", admin.site.admin_view(packages.packages), name="packages"),
    path("admin/packages/refetch", admin.site.admin_view(packages.refetch), name="refetch_package"),
    path("services", seen(services.service_list), name="services"),
    path("organizations/<str:organization>/close", seen(closing.organization_close), name="organization_close"),
    path("organizations/<str:organization>/close/bin", seen(closing.delete_all), name="organization_delete_all"),
    path("operations/<str:operation_id>", seen(operations.operation), name="operation"),
    path("operations/<str:operation_id>/cancel", seen(operations.cancel), name="cancel_operation"),
    path("download/<str:token>", shared.shared, name="shared_download"),  # for curl: the link stands in for a session
    path(SERVICE, seen(service.overview), name="service"),
    path(f"{SERVICE}/header", seen(service.header), name="header"),
    path(f"{SERVICE}/connect", seen(connect.connect), name="connect"),
    path(f"{SERVICE}/ca.pem", seen(connect.certificate), name="certificate"),
    path(f"{CREDENTIAL}/reveal", seen(connect.reveal), name="reveal"),
    path(f"{CREDENTIAL}/rotate", seen(connect.rotate), name="rotate"),
    path(f"{CREDENTIAL}/complete", seen(connect.complete), name="complete_rotation"),
    path(f"{SERVICE}/metrics", seen(metrics.metrics), name="metrics"),
    path(f"{SERVICE}/logs", seen(logs.logs), name="logs"),
    path(f"{SERVICE}/logs.txt", seen(logs.download), name="logs_text"),
    path(f"{SERVICE}/activity", seen(activity.activity), name="activity"),
    path(f"{SERVICE}/settings", seen(settings_views.settings), name="settings"),
    path(f"{SERVICE}/settings/<slug:part>", seen(settings_views.save), name="save_settings"),
    path(f"{SERVICE}/resize", seen(verbs.resize), name="resize"),
    path(f"{SERVICE}/delete", seen(verbs.delete), name="delete"),
    path(f"{SERVICE}/undelete", seen(verbs.undelete), name="undelete"),
    path(f"{SERVICE}/move", seen(moving.move), name="move"),
    path(f"{SERVICE}/do/<slug:verb>", seen(verbs.do), name="do"),
    path(f"{SERVICE}/<slug:kind>", seen(children.children), name="children"),
    path(f"{SERVICE}/<slug:kind>/new", seen(children.new), name="new_child"),
    path(f"{SERVICE}/<slug:kind>/many", seen(many.many), name="many_children"),
    path(CHILD, seen(children.child), name="child"),
    path(f"{CHILD}/edit", seen(children.edit), name="edit_child"),
    path(f"{CHILD}/delete", seen(children.delete), name="delete_child"),
    path(f"{CHILD}/restore", seen(restore.restore), name="restore"),
    path(f"{CHILD}/download", seen(children.download), name="download"),
    path(f"{CHILD}/link", seen(children.link), name="download_link"),
    path(f"{CHILD}/<slug:verb>", seen(children.do), name="child_verb"),
]
