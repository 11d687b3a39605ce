"""Regions and clusters in the admin site."""

from django.contrib import admin

from portal.clusters.models import Cluster, Region
from portal.core.admin import ReadOnlyAdmin


@admin.register(Region)
class RegionAdmin(ReadOnlyAdmin):
    list_display = ("slug", "name", "country", "created_at")
    search_fields = ("slug", "name")
    readonly_fields = ("created_at",)


@admin.register(Cluster)
class ClusterAdmin(ReadOnlyAdmin):
    list_display = ("name", "region", "kind", "enabled", "discovered_at")
    list_select_related = ("region",)
    list_filter = ("kind", "enabled", "region")
    search_fields = ("name",)
    readonly_fields = ("created_at",)
