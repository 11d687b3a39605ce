"""A service's settings: name, tags, networks, maintenance, protection, the spec's own, and the danger zone."""

from contextlib import suppress
from dataclasses import dataclass

from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from portal.core.errors import Problem, escape, not_found
from portal.core.forms import SpecForm, show_problem, spec_form
from portal.core.htmx import done, wants_partial
from portal.projects import access
from portal.resources import actions, allowing
from portal.resources import maintenance as window
from portal.resources.actions.lifecycle import newer_releases
from portal.resources.actions.maintaining import pending_update
from portal.resources.actions.quotes import customer_fields
from portal.resources.forms import (
    AboutForm,
    MaintenanceForm,
    ProtectionForm,
    network_rows,
    read_networks,
    read_tags,
    tag_rows,
)
from portal.resources.presenters.effects import Effect, effects_of_quote
from portal.resources.presenters.prices import Prices
from portal.resources.tabs import MANAGE
from portal.resources.views.page import ServicePage, load, references, show

SAVED: dict[str, Promise] = {
    "about": gettext_lazy("Name and description are saved."),
    "tags": gettext_lazy("Tags are saved."),
    "networks": gettext_lazy("Allowed networks are saved and are being applied."),
    "maintenance": gettext_lazy("The maintenance window is saved."),
    "protection": gettext_lazy("Protection is saved."),
    "spec": gettext_lazy("Settings are saved and are being applied."),
}


@dataclass
class Forms:
    """All forms of the page; the one that was sent holds what was typed."""

    about: AboutForm
    protection: ProtectionForm
    spec: SpecForm
    maintenance: MaintenanceForm
    tags: list[dict[str, str]]
    networks: list[dict[str, str]]
    tags_problem: str = ""
    networks_problem: str = ""

    def of(self, part: str) -> Form:
        """Return the form of a part that is one; rows of tags and networks are not."""
        parts: dict[str, Form] = {"about": self.about, "protection": self.protection, "maintenance": self.maintenance}
        return parts.get(part, self.spec)


def settings(request: HttpRequest, service_id: str) -> HttpResponse:
    """Show everything that can be changed."""
    page = load(request, service_id)
    if not MANAGE & page.permissions:
        access.require(page.actor, page.resource.project, "service.operate", on=page.resource.name)
    return _page(page, _forms(page, ""))


@require_POST
def save(request: HttpRequest, service_id: str, part: str) -> HttpResponse:
    """Save one part of the page."""
    page = load(request, service_id, "service.operate")
    if part not in SAVED:
        raise not_found()
    forms = _forms(page, part)
    changes = _changes(forms, part, page)
    if part == "spec" and "preview" in request.GET:
        return _preview(page, changes)
    if changes is None:
        return _refused(page, forms, part)
    try:
        operation = actions.edit(page.actor, page.resource, changes=changes)
    except Problem as problem:
        _show(problem, forms, part)
        return _refused(page, forms, part)
    if part in ("spec", "networks") and operation is None:
        return done(request, page.url("settings"), _("Nothing was changed."))
    return done(request, page.url("service" if operation else "settings"), str(SAVED[part]))


def _preview(page: ServicePage, changes: actions.Edit | None) -> HttpResponse:
    """Say what the settings typed so far would do to price and connections; nothing while they are not right."""
    effects: tuple[Effect, ...] = ()
    if changes is not None and changes.spec is not None:
        with suppress(Problem):
            effects = effects_of_quote(actions.preview_change(page.actor, page.resource, {"spec": changes.spec}))
    return render(page.request, "resources/partials/effects.html", {"effects": effects})


def _forms(page: ServicePage, sent: str) -> Forms:
    row, data = page.resource, page.request.POST
    return Forms(
        about=AboutForm(data if sent == "about" else None, initial={"name": row.name, "description": row.description}),
        protection=ProtectionForm(data if sent == "protection" else None, initial={"protected": row.protected}),
        spec=spec_form(
            row.offering.spec,
            data=data if sent == "spec" else None,
            initial=customer_fields(row.load_spec()),
            only_changeable=True,
            references=references(page, row.offering.spec),
            backends=(row.cluster.kind,),
        ),
        maintenance=MaintenanceForm(
            data if sent == "maintenance" else None,
            initial={"day": row.maintenance["day"], "start_utc": window.load(row.maintenance).start},
        ),
        tags=tag_rows(read_tags(data) if sent == "tags" else row.tags),
        networks=network_rows(read_networks(data) if sent == "networks" else row.ip_allow_list),
    )


def _changes(forms: Forms, part: str, page: ServicePage) -> actions.Edit | None:
    """Return what was asked for; None where a form is wrong."""
    if part == "tags":
        return actions.Edit(tags=read_tags(page.request.POST))
    if part == "networks":
        return actions.Edit(ip_allow_list=read_networks(page.request.POST))
    if not forms.of(part).is_valid():
        return None
    if part == "maintenance":
        return actions.Edit(maintenance=forms.maintenance.as_json())
    if part == "spec":
        return actions.Edit(spec=forms.spec.cleaned_spec())
    if part == "protection":
        return actions.Edit(protected=forms.protection.cleaned_data["protected"])
    typed = forms.about.cleaned_data
    return actions.Edit(name=typed["name"], description=typed["description"])


def _show(problem: Problem, forms: Forms, part: str) -> None:
    """Put a refusal beside the field or row that it is about."""
    if part == "networks":
        _show_networks(problem, forms)
        return
    if part != "tags":
        show_problem(problem, forms.of(part))
        return
    wrong = {error.pointer.removeprefix("/tags/"): error.detail for error in problem.errors}
    for row in forms.tags:
        row["error"] = wrong.pop(escape(row["key"][:80]), "") if row["key"] else ""
    forms.tags_problem = next(iter(wrong.values()), "" if problem.errors else problem.detail)


def _show_networks(problem: Problem, forms: Forms) -> None:
    wrong = {error.pointer.split("/")[2]: error.detail for error in problem.errors if error.pointer.count("/") > 1}
    for index, row in enumerate(forms.networks):
        row["error"] = wrong.get(str(index), "")
    forms.networks_problem = "" if wrong else problem.detail


def _refused(page: ServicePage, forms: Forms, part: str) -> HttpResponse:
    return _page(page, forms, part=part if wants_partial(page.request) else "", status=422)


def _page(page: ServicePage, forms: Forms, *, part: str = "", status: int = 200) -> HttpResponse:
    context = {
        "forms": forms,
        "plan": page.resource.plan,
        "price": Prices().of(page.resource),
        "newer": newer_releases(page.resource),
        "networks_refusal": allowing.refusal(page.resource.offering, page.resource.cluster.kind),
        "update": pending_update(page.resource, timezone.now()),
        "has_resize": page.resource.offering.verb("resize") is not None,
        "has_upgrade": page.resource.offering.verb("upgrade") is not None,
        "has_stop": page.resource.offering.verb("stop") is not None and page.resource.running,
    }
    template = f"partials/settings_{part}" if part else "service_settings"
    return show(page, "settings", template, context, status=status)
