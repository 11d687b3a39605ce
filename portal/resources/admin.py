"""Services in the admin site: all of it to look at, two things to do, each with a reason that the tenant reads."""

from django.contrib import admin
from django.http import HttpRequest

from portal.accounts.actors import actor_of
from portal.core.admin import ReadOnlyAdmin, operator_action
from portal.resources import actions
from portal.resources.models import Change, Child, Event, Operation, Resource


@operator_action("Retry now")
def retry_now(request: HttpRequest, resource: Resource, reason: str) -> None:
    """Have the engine look at a service at once, forgetting its back-off."""
    actions.retry_now(actor_of(request), resource, reason=reason)


@operator_action("Delete by force")
def force_delete(request: HttpRequest, resource: Resource, reason: str) -> None:
    """Wipe a service that nothing else helps with."""
    actions.force_delete(actor_of(request), resource, reason=reason)


@admin.register(Resource)
class ResourceAdmin(ReadOnlyAdmin):
    list_display = ["name", "project", "offering_slug", "plan_slug", "release", "region", "state", "health", "failures"]
    list_filter = ["state", "health", "offering_slug", "region", "plan_slug"]
    search_fields = ["name", "handle", "project__slug", "project__organization__slug"]
    list_select_related = ["project", "region"]
    date_hierarchy = "created_at"
    actions = [retry_now, force_delete]


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = ["type", "resource", "child_name", "lane", "state", "created_at", "finished_at"]
    list_filter = ["state", "type"]
    search_fields = ["resource__name", "resource__handle", "child_name", "message"]
    list_select_related = ["resource"]
    date_hierarchy = "created_at"


@admin.register(Change)
class ChangeAdmin(ReadOnlyAdmin):
    list_display = ["resource", "at", "plan_slug", "running", "present"]
    list_filter = ["running", "present", "plan_slug"]
    search_fields = ["resource__name", "resource__handle"]
    list_select_related = ["resource"]


@admin.register(Child)
class ChildAdmin(ReadOnlyAdmin):
    list_display = ["name", "kind", "resource", "state", "created_at", "deletion_requested_at"]
    list_filter = ["kind", "state"]
    search_fields = ["name", "resource__name", "resource__handle"]
    list_select_related = ["resource"]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ["at", "resource", "severity", "reason", "message"]
    list_filter = ["severity", "reason"]
    search_fields = ["message", "resource__name", "resource__handle"]
    list_select_related = ["resource"]
