"""Acts of operators that need more than a reason: a form of their own, on one row, in the admin site."""

import functools
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core.admin import AdminAction, ReadOnlyAdmin, back_to, require_operator
from portal.core.errors import Problem
from portal.core.forms import show_problem


class OperatorForm(forms.Form):
    """Fields of an act on ``row``, the reason last."""

    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=500,
        help_text=gettext_lazy("It goes into the audit log, where the tenant reads it."),
    )

    def __init__(self, *args: Any, row: Any = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.row = row
        self.order_fields([name for name in self.fields if name != "reason"])
        self.prepare()

    def prepare(self) -> None:
        """Fill in choices and first values that depend on the row."""


FormAct = Callable[[HttpRequest, Any, Any], Any]


def operator_form(label: str | Promise, form: type[OperatorForm]) -> Callable[[FormAct], AdminAction]:
    """Make an admin action of ``act(request, row, form)``: it asks for the form first, then acts on the one row.

    A Problem that ``act`` raises is shown in the form, beside the field that it names.
    """

    def decorate(act: FormAct) -> AdminAction:
        @functools.wraps(act)
        def run(model_admin: ReadOnlyAdmin, request: HttpRequest, rows: QuerySet[Any]) -> HttpResponse | None:
            require_operator(request, label)
            row = rows.first()
            if row is None or rows.count() != 1:
                model_admin.message_user(request, _("Choose one row for this."), messages.WARNING)
                return None
            sent = "_sent" in request.POST
            asked = form(request.POST if sent else None, request.FILES if sent else None, row=row)
            if asked.is_bound and asked.is_valid() and _done(request, row, asked, act):
                model_admin.message_user(request, _("Done: %(row)s") % {"row": row}, messages.SUCCESS)
                return back_to(model_admin, request, row)
            return _ask(model_admin, request, row, asked, label, act.__name__)

        run.short_description = label  # type: ignore[attr-defined]
        return run

    return decorate


def _done(request: HttpRequest, row: Model, form: OperatorForm, act: FormAct) -> bool:
    try:
        act(request, row, form)
    except Problem as problem:
        if problem.afterwards:
            problem.afterwards()
        show_problem(problem, form)
        return False
    return True


def _ask(
    model_admin: ReadOnlyAdmin, request: HttpRequest, row: Model, form: OperatorForm, label: str | Promise, name: str
) -> HttpResponse:
    context = {
        **model_admin.admin_site.each_context(request),
        "title": label,
        "opts": model_admin.opts,
        "row": row,
        "form": form,
        "action_name": name,
        "back": request.POST.get("_back", ""),
    }
    return render(request, "admin/act.html", context, status=422 if form.is_bound else 200)
