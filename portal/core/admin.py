"""The frame of the admin site: rows can be looked at, and changed only by actions that ask for a reason.

Every other package's ``admin.py`` registers with ``ReadOnlyAdmin`` and makes its buttons with ``operator_action``.
"""

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from allauth.account.models import EmailAddress, EmailConfirmation
from django.contrib import admin, messages
from django.contrib.admin import AdminSite
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core import attention
from portal.core.errors import Problem, not_found, permission_denied

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    Inline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, Inline = admin.ModelAdmin, admin.TabularInline  # have no type parameter at run time
Act = Callable[[HttpRequest, Any, str], None]
AdminAction = Callable[["ReadOnlyAdmin", HttpRequest, QuerySet[Any]], HttpResponse | None]


class ReadOnlyInline(Inline):
    """Rows that belong to another, shown on its page: looked at, and changed nowhere."""

    extra = 0
    can_delete = False
    show_change_link = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fields or ()

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True  # who may see the row that it belongs to


class ReadOnlyAdmin(ModelAdmin):
    """A list with search and filters and a detail page; nothing can be added, edited or deleted here.

    ``operators_only`` hides it from support. What ``operator_action`` made stands on the detail page as buttons too.
    """

    operators_only = False
    change_form_template = "admin/readonly_detail.html"
    list_per_page = 50
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return is_operator(request) or (not self.operators_only and bool(getattr(request.user, "is_support", False)))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        return super().get_actions(request) if is_operator(request) else {}

    def idle_actions(self, row: Any) -> Iterable[str]:
        """Name the actions that would change nothing of this row or be refused: its page does not offer them."""
        return ()

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Model | None = None,
    ) -> HttpResponse:
        idle = set(self.idle_actions(obj)) if obj else set()
        offered = [(name, label) for _call, name, label in self.get_actions(request).values() if name not in idle]
        context.update(buttons=offered, object_pk=obj and obj.pk)
        return super().render_change_form(request, context, add, change, form_url, obj)


def is_operator(request: HttpRequest) -> bool:
    """Whether one of the provider's operators asks."""
    return bool(request.user.is_active and getattr(request.user, "is_operator", False))


def require_operator(request: HttpRequest, label: str | Promise) -> None:
    """Raise ``permission_denied`` for anybody but an operator."""
    if not is_operator(request):
        raise permission_denied("provider.operate", str(label))


def back_to(model_admin: ModelAdmin, request: HttpRequest, row: Model) -> HttpResponse | None:
    """Lead back to the row's own page where the act began there; None leads to the list."""
    if not request.POST.get("_back") or not type(row)._default_manager.filter(pk=row.pk).exists():
        return None
    options = model_admin.opts
    return redirect(f"admin:{options.app_label}_{options.model_name}_change", row.pk)


def operator_action(label: str | Promise) -> Callable[[Act], AdminAction]:
    """Make an admin action of ``act(request, obj, reason)``, which calls an action that writes the audit row.

    Operators alone may start it; a page asks for the reason first, which the tenant gets to see. A Problem that ``act``
    raises is shown as a message, and the other chosen rows go on.
    """

    def decorate(act: Act) -> AdminAction:
        @functools.wraps(act)
        def run(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
            require_operator(request, label)
            reason = request.POST.get("reason", "").strip()
            if not reason:
                return _ask_for_reason(model_admin, request, rows, label, act.__name__)
            chosen = list(rows)
            for row in chosen:
                _act_on(model_admin, request, row, reason, act)
            return back_to(model_admin, request, chosen[0]) if len(chosen) == 1 else None

        run.short_description = label  # type: ignore[attr-defined]
        return run

    return decorate


def _ask_for_reason(
    model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any], label: str | Promise, name: str
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": label,
        "opts": model_admin.opts,
        "rows": rows,
        "action_name": name,
        "is_missing": "reason" in request.POST,
        "back": request.POST.get("_back", ""),
    }
    return render(request, "admin/reason.html", context, status=422 if context["is_missing"] else 200)


def _act_on(model_admin: ReadOnlyAdmin, request: HttpRequest, row: Model, reason: str, act: Act) -> None:
    try:
        act(request, row, reason)
    except Problem as problem:
        if problem.afterwards:
            problem.afterwards()
        model_admin.message_user(request, f"{row}: {problem.detail}", messages.ERROR)
    else:
        model_admin.message_user(request, _("Done: %(row)s") % {"row": row}, messages.SUCCESS)


def sign_in_first(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Send the anonymous to the portal's one sign-in; somebody signed in who has no business here is refused."""
    if admin.site.has_permission(request):
        return redirect("admin:index")
    if request.user.is_authenticated:
        raise permission_denied("provider.operate", "the admin site")
    query = urlencode({"next": request.GET.get("next", "/admin/")})
    return HttpResponseRedirect(f"{resolve_url('sign_in')}?{query}")


def dashboard(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
    """Show the first page: what needs a look, and the lists."""
    context = {**(extra_context or {}), "looks": attention.seen_by(request)}
    return AdminSite.index(admin.site, request, context)


def nothing_here(request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
    """Stand in for the admin site's own pages that would go past actions and audit."""
    raise not_found()


admin.site.site_header = gettext_lazy("Archipel operations")
admin.site.site_title = gettext_lazy("Archipel operations")
admin.site.index_title = gettext_lazy("Look, then act with a reason")
admin.site.index = dashboard  # type: ignore[method-assign]
admin.site.index_template = "admin/dashboard.html"
admin.site.login = sign_in_first  # type: ignore[method-assign]
admin.site.password_change = nothing_here  # type: ignore[method-assign,assignment]
for model in (Group, EmailAddress, EmailConfirmation):
    if admin.site.is_registered(model):
        admin.site.unregister(model)
