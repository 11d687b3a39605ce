"""Organizations, projects and who belongs to them in the admin site."""

from django.contrib import admin

from portal.core.admin import ReadOnlyAdmin
from portal.projects.models import Membership, Organization, Project, ProjectMembership


@admin.register(Organization)
class OrganizationAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "created_at")
    search_fields = ("slug", "name")
    fields = ("public_id", "slug", "name", "created_at")
    readonly_fields = ("public_id", "created_at")


@admin.register(Project)
class ProjectAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "organization", "max_services", "created_at")
    list_select_related = ("organization",)
    search_fields = ("slug", "name", "organization__slug", "organization__name")
    fields = ("public_id", "slug", "name", "organization", "max_services", "created_at")
    readonly_fields = ("public_id", "created_at")


@admin.register(Membership)
class MembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "organization", "role", "created_at")
    list_select_related = ("user", "organization")
    list_filter = ("role",)
    search_fields = ("user__email", "organization__slug")
    readonly_fields = ("created_at",)


@admin.register(ProjectMembership)
class ProjectMembershipAdmin(ReadOnlyAdmin):
    list_display = ("user", "project", "role", "created_at")
    list_select_related = ("user", "project")
    list_filter = ("role",)
    search_fields = ("user__email", "project__slug")
    readonly_fields = ("created_at",)
