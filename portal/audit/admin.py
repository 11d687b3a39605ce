"""The audit log and the heads of its chains in the admin site: to be read."""

from django.contrib import admin

from portal.audit.models import AuditEvent, Head
from portal.core.admin import ReadOnlyAdmin


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    operators_only = True
    list_display = (
        "at",
        "action",
        "target_kind",
        "target_name",
        "outcome",
        "actor_kind",
        "actor_id",
        "reason",
        "position",
        "short_digest",
    )
    list_filter = ("outcome", "actor_kind", "target_kind")
    search_fields = ("action", "target_name", "request_id")
    date_hierarchy = "at"
    readonly_fields = ("public_id", "at", "position", "short_digest")


@admin.register(Head)
class HeadAdmin(ReadOnlyAdmin):
    operators_only = True
    list_display = ("day", "organization_id", "position", "short_digest", "at")
    date_hierarchy = "day"
    readonly_fields = ("short_digest",)
