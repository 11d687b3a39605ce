"""Many parts at once, written or pasted as a table."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from portal.core.errors import FieldError, Problem, invalid, not_found
from portal.core.htmx import done
from portal.projects import access
from portal.resources import actions
from portal.resources.access import kind_of
from portal.resources.forms import TableForm
from portal.resources.tables import told_by_line, wishes_in
from portal.resources.views.dialogs import Dialog, ask
from portal.resources.views.page import load


def many(request: HttpRequest, service_id: str, kind: str) -> HttpResponse:
    """Make or change each part of a table; all of them or none."""
    page = load(request, service_id)
    declared = kind_of(page.resource, kind)
    if not declared.is_batch:
        raise not_found()
    access.require(page.actor, page.resource.project, "service.operate", on=page.resource.name)
    form = TableForm(declared, request.POST if request.method == "POST" else None)
    dialog = Dialog(
        title=_("Many %(kind)s at once") % {"kind": str(declared.plural).lower()},
        submit=_("Make or change them"),
        action=page.url("many_children", kind),
        back=page.url("children", kind),
        lead=_("A part that is there already gets the settings of its line; an empty cell leaves one as it is."),
        form=form,
    )

    def act() -> HttpResponse:
        wishes = wishes_in(form.cleaned_data["rows"], declared)
        try:
            actions.change_many(page.actor, page.resource, declared, put=wishes)
        except Problem as problem:
            if not problem.errors:
                raise
            raise invalid(FieldError("/rows", "invalid", told_by_line(problem.errors))) from problem
        return done(request, page.url("children", kind), _("%(number)d are on their way.") % {"number": len(wishes)})

    return ask(request, page.resource, dialog, act)
