"""Moving a service to another project: which one, what changes by it, and what does not."""

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core.htmx import done
from portal.projects.access import access_project
from portal.resources import moving
from portal.resources.models import Resource
from portal.resources.presenters.effects import Effect
from portal.resources.views.dialogs import Dialog, ask
from portal.resources.views.page import load


class MoveForm(forms.Form):
    """The project to go to."""

    project = forms.ChoiceField(label=gettext_lazy("Project"))

    def __init__(self, choices: list[tuple[str, str]], data: object) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.fields["project"].choices = choices  # type: ignore[attr-defined]


def move(request: HttpRequest, service_id: str) -> HttpResponse:
    """Ask for the project, say what changes, and move the service."""
    page = load(request, service_id, "service.delete")
    resource = page.resource
    choices = [(project.slug, project.name) for project in moving.targets(page.actor, resource)]
    form = MoveForm(choices, request.POST if request.method == "POST" else None)
    dialog = Dialog(
        title=_("Move %(name)s") % {"name": resource.name},
        submit=_("Move"),
        action=page.url("move"),
        back=page.url("settings"),
        effects=_effects(resource),
        form=form,
        problem=moving.standing_reason(resource) or ("" if choices else _nowhere(resource)),
    )

    def act() -> HttpResponse:
        project = access_project(page.actor, form.cleaned_data["project"], "service.create")
        moving.move(page.actor, resource, project=project)
        words = {"name": resource.name, "project": project.name}
        return done(request, page.url("service"), _("%(name)s is in %(project)s now.") % words)

    return ask(request, resource, dialog, act)


def _effects(resource: Resource) -> tuple[Effect, ...]:
    stays = _("Data, address, credentials, backups and history stay as they are. Connections stay open.")
    sees = _("Members of the other project can see and use it from then on; those of %(project)s alone no more.")
    pays = _("It counts for the other project's limits and costs.")
    return (
        Effect(stays, "plug"),
        Effect(sees % {"project": resource.project.name}, "users", "warning"),
        Effect(pays, "euro"),
    )


def _nowhere(resource: Resource) -> str:
    words = {"organization": resource.project.organization.name}
    return _("There is no other project of %(organization)s in which you may make services.") % words
