"""Small forms that ask before something is done: a dialog over the page with htmx, a page of their own without."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from portal.core.errors import Problem
from portal.core.forms import SpecForm, show_problem
from portal.core.htmx import wants_partial
from portal.resources.models import Resource
from portal.resources.presenters.effects import Effect


@dataclass
class Dialog:
    """What is asked: ``effects`` say what will happen, ``must_type`` what has to be typed to confirm."""

    title: str | Promise
    submit: str | Promise
    action: str
    back: str
    lead: str | Promise = ""
    effects: tuple[Effect, ...] = ()
    is_danger: bool = False
    form: forms.Form | None = None
    spec_form: SpecForm | None = None
    must_type: str = ""
    typed_error: str | Promise = ""
    problem: str = ""
    icon: str = ""

    @property
    def forms(self) -> list[forms.Form]:
        return [form for form in (self.form, self.spec_form) if form is not None]

    def is_valid(self, request: HttpRequest) -> bool:
        """Check what was typed; what is wrong stands beside its field."""
        if self.must_type and request.POST.get("confirm", "").strip() != self.must_type:
            self.typed_error = _("This is not the name. Type %(name)s.") % {"name": self.must_type}
        right = [form.is_valid() for form in self.forms]
        return all(right) and not self.typed_error

    def refuse(self, problem: Problem) -> None:
        """Show an action's refusal where it belongs."""
        if self.forms:
            show_problem(problem, *self.forms)
        else:
            self.problem = problem.detail


def ask(request: HttpRequest, resource: Resource, dialog: Dialog, act: Callable[[], HttpResponse]) -> HttpResponse:
    """Show the dialog; when it is sent and valid, do the deed. Nothing typed is lost where the deed is refused."""
    if request.method == "POST":
        if dialog.is_valid(request):
            try:
                return act()
            except Problem as problem:
                if problem.status in (403, 404) and not problem.errors:
                    raise
                dialog.refuse(problem)
        return _show(request, resource, dialog, "form", status=422)
    return _show(request, resource, dialog, "modal")


def _show(request: HttpRequest, resource: Resource, dialog: Dialog, part: str, *, status: int = 200) -> HttpResponse:
    for form in dialog.forms:  # the page under a dialog may have a field of the same name
        form.auto_id = "dialog_%s"
    context: dict[str, Any] = {"dialog": dialog, "service": resource, "in_modal": wants_partial(request)}
    template = f"partials/dialog_{part}" if wants_partial(request) else "service_dialog"
    response = render(request, f"resources/{template}.html", context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
