"""Services and what is being done to them in the admin site: what operators do has a reason that the tenant reads."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from portal.accounts.actors import actor_of
from portal.core.admin import ReadOnlyAdmin, operator_action
from portal.core.attention import needs_a_look
from portal.core.templatetags.formats import about, duration
from portal.resources import actions
from portal.resources.models import Change, Child, Event, Operation, Resource
from portal.resources.stuck import stuck, waits_for


@operator_action(_("Retry now"))
def retry_now(request: HttpRequest, resource: Resource, reason: str) -> None:
    """Have the engine look at a service at once, forgetting its back-off."""
    actions.retry_now(actor_of(request), resource, reason=reason)


@operator_action(_("Delete by force"))
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

    def idle_actions(self, resource: Resource) -> Iterable[str]:
        return ("retry_now", "force_delete") if resource.purged_at else ()


@operator_action(_("Retry now"))
def retry_operation(request: HttpRequest, operation: Operation, reason: str) -> None:
    """Have the engine look at once at the service that an operation is about."""
    actions.retry_now(actor_of(request), operation.resource, reason=reason)


@operator_action(_("Cancel"))
def cancel(request: HttpRequest, operation: Operation, reason: str) -> None:
    """Cancel what can be cancelled; what can't says by when it ends."""
    actions.cancel_for_tenant(actor_of(request), operation, reason=reason)


class StuckFilter(admin.SimpleListFilter):
    """Keeps operations that take longer than they should."""

    title = _("stuck")
    parameter_name = "stuck"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", _("Longer than expected"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Operation]) -> QuerySet[Operation]:
        return queryset.filter(id__in=stuck().values("id")) if self.value() == "yes" else queryset


@admin.register(Operation)
class OperationAdmin(ReadOnlyAdmin):
    list_display = ["type", "service", "tenant", "state", "runs_for", "expected", "why", "next_due", "tries"]
    list_filter = [StuckFilter, "state", "type", "resource__offering_slug", "resource__region"]
    search_fields = ["resource__name", "resource__handle", "resource__project__slug", "child_name", "message"]
    list_select_related = ["resource__project__organization"]
    date_hierarchy = "created_at"
    readonly_fields = ["service", "tenant", "runs_for", "expected", "why", "next_due", "tries", "public_id"]
    actions = [retry_operation, cancel]

    def idle_actions(self, operation: Operation) -> Iterable[str]:
        return () if operation.is_open else ("cancel",)

    @admin.display(description=_("service"), ordering="resource__name")
    def service(self, operation: Operation) -> SafeString:
        """Lead to the service's own page in the console."""
        resource = operation.resource
        return format_html(
            '<a href="{}">{}</a>', reverse("resources:service", args=[resource.public_id]), resource.name
        )

    @admin.display(description=_("organization"))
    def tenant(self, operation: Operation) -> str:
        project = operation.resource.project
        return f"{project.organization.slug} / {project.slug}"

    @admin.display(description=_("runs for"), ordering="created_at")
    def runs_for(self, operation: Operation) -> str:
        return duration((operation.finished_at or timezone.now()) - operation.created_at)

    @admin.display(description=_("expected"), ordering="expected_seconds")
    def expected(self, operation: Operation) -> str:
        return about(operation.expected_seconds)

    @admin.display(description=_("waits for"))
    def why(self, operation: Operation) -> str:
        return waits_for(operation) if operation.is_open else operation.message

    @admin.display(description=_("looked at next"))
    def next_due(self, operation: Operation) -> Any:
        return operation.resource.next_reconcile_at

    @admin.display(description=_("failures"))
    def tries(self, operation: Operation) -> int:
        return operation.resource.failures


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


@needs_a_look(_("Operations that are stuck"), "resources_operation", "stuck=yes", icon="hourglass", tone="danger")
def stuck_operations() -> QuerySet[Operation]:
    return stuck()


@needs_a_look(_("Services that failed"), "resources_resource", "state__exact=failed", icon="circle-x", tone="danger")
def failed_services() -> QuerySet[Resource]:
    return Resource.objects.filter(state="failed", purged_at=None)
