"""Price books, to read: a published price never changes."""

from django.contrib import admin

from apps.billing.models import PriceBook, PriceItem
from portal.core.admin import ReadOnlyAdmin


class ItemsInline(admin.TabularInline):  # type: ignore[type-arg]  # no generic at run time
    model = PriceItem
    can_delete = False
    extra = 0

    def has_change_permission(self, request: object, obj: object = None) -> bool:
        return False

    def has_add_permission(self, request: object, obj: object = None) -> bool:
        return False


@admin.register(PriceBook)
class PriceBookAdmin(ReadOnlyAdmin):
    list_display = ["currency", "valid_from", "note"]
    inlines = [ItemsInline]
