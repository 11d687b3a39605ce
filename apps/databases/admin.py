"""Databases in the admin site: the services' own page, with what operators ask of a database first."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from apps.databases.models import PostgresqlService, ValkeyService
from portal.core.admin import ReadOnlyAdmin
from portal.core.templatetags.formats import size
from portal.resources.admin import force_delete, retry_now


@admin.register(PostgresqlService)
class PostgresqlServiceAdmin(ReadOnlyAdmin):
    list_display = ["name", "project", "release", "plan_slug", "region", "state", "health", "disk", "failures"]
    list_filter = ["state", "health", "release", "region", "plan_slug"]
    search_fields = ["name", "handle", "project__slug", "project__organization__slug"]
    list_select_related = ["project", "region"]
    actions = [retry_now, force_delete]

    @admin.display(description=_("Disk"))
    def disk(self, service: PostgresqlService) -> str:
        """Say how much the databases take."""
        used = service.facts.get("disk_bytes")
        return size(used) if used else "–"


@admin.register(ValkeyService)
class ValkeyServiceAdmin(ReadOnlyAdmin):
    list_display = ["name", "project", "release", "state", "health", "nodes", "persistence", "disk", "failures"]
    list_filter = ["state", "health", "release", "region", "plan_slug"]
    search_fields = ["name", "handle", "project__slug", "project__organization__slug"]
    list_select_related = ["project", "region"]
    actions = [retry_now, force_delete]

    @admin.display(description=_("Nodes"))
    def nodes(self, service: ValkeyService) -> str:
        """Say how its nodes stand to each other."""
        return str(service.spec.get("mode", "–"))

    @admin.display(description=_("Persistence"))
    def persistence(self, service: ValkeyService) -> str:
        """Say what outlives a restart."""
        return str(service.spec.get("persistence", "–"))

    @admin.display(description=_("Disk"))
    def disk(self, service: ValkeyService) -> str:
        """Say how much the nodes' files take."""
        used = service.facts.get("disk_bytes")
        return size(used) if used else "–"
