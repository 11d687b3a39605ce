"""Price books in the admin site: to read, and new ones to publish with a reason. A published price never changes."""

from typing import Any, cast

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone

from apps.billing import actions, queries
from apps.billing.forms import PriceBookForm, as_text
from apps.billing.models import PriceBook, PriceItem
from apps.billing.rates import PriceMissing
from portal.accounts.actors import actor_of
from portal.core.admin import ReadOnlyAdmin, is_operator


class ItemsInline(admin.TabularInline):  # type: ignore[type-arg]  # no generic at run time
    model = PriceItem
    can_delete = False
    extra = 0

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # who may see the book; this is only ever shown inside it


@admin.register(PriceBook)
class PriceBookAdmin(ReadOnlyAdmin):
    list_display = ["currency", "valid_from", "note", "created_at"]
    list_filter = ["currency"]
    search_fields = ["note", "items__offering", "items__rate"]
    date_hierarchy = "valid_from"
    inlines = [ItemsInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return is_operator(request)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[type[admin.TabularInline]]:  # type: ignore[type-arg,override]
        return [ItemsInline] if obj else []

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        new = ["valid_from", "note", "lines", "reason"]
        return ["currency", "valid_from", "note", "created_at"] if obj else new

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **options: Any) -> Any:
        """Return the form of a new book, which has to know who fills it in."""
        if change:
            return super().get_form(request, obj, change=change, **options)
        form = cast(type[PriceBookForm], super().get_form(request, obj, **{**options, "form": PriceBookForm}))
        form.actor = actor_of(request)
        return form

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Begin a new book with the prices in force, so that an operator changes what should change."""
        try:
            return {"lines": as_text(queries.book_at(timezone.now()))}
        except PriceMissing:
            return {}

    def save_model(self, request: HttpRequest, obj: PriceBook, form: Any, change: bool) -> None:
        """Publish what was checked; the action writes the audit row."""
        data = form.cleaned_data
        book = actions.publish(
            actor_of(request),
            valid_from=data["valid_from"],
            amounts=data["lines"],
            note=data["note"],
            reason=data["reason"],
        )
        obj.pk = book.pk
