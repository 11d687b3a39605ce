"""One operation: its steps, log and outcome; and cancelling it."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from portal.accounts.actors import actor_of
from portal.core.htmx import done, wants_partial
from portal.projects.access import permissions_in
from portal.resources import actions, queries
from portal.resources.access import access_operation
from portal.resources.models import Operation
from portal.resources.presenters.activity import steps_of, timeline_of
from portal.resources.presenters.effects import Effect
from portal.resources.presenters.words import operation_words
from portal.resources.views.dialogs import Dialog, ask
from portal.resources.views.page import fingerprint, unchanged

REMEDIES_AFTER = frozenset({"failed", "timed_out"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a failed operation leaves behind, in words."""

    cause: str
    usable: str
    remedy: str


def operation(request: HttpRequest, operation_id: str) -> HttpResponse:
    """Show an operation, live until it has ended."""
    actor = actor_of(request)
    found = access_operation(actor, operation_id)
    events = list(queries.events_of(found))
    mark = fingerprint(found.state, found.steps, found.message, len(events))
    if (nothing_new := unchanged(request, mark)) is not None:
        return nothing_new
    may_operate = "service.operate" in permissions_in(actor, found.resource.project)
    context = {
        "operation": found,
        "service": found.resource,
        "title": operation_words(found),
        "steps": steps_of(found),
        "who": queries.names_of([found.requested_by]).get(found.requested_by) if found.requested_by else None,
        "events": timeline_of(events),
        "outcome": _outcome(found),
        "mark": mark,
        "may_cancel": may_operate and actions.is_cancellable(found),
    }
    template = "partials/operation" if wants_partial(request) else "operation_detail"
    response = render(request, f"resources/{template}.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def _outcome(found: Operation) -> Outcome | None:
    """Explain a failure: the cause, whether the service can be used, and what to do now."""
    if found.state not in REMEDIES_AFTER:
        return None
    error = found.error or {}
    usable = (
        _("The service itself still works.") if error.get("instance_usable") else _("The service does not work now.")
    )
    late = found.state == Operation.State.TIMED_OUT
    remedy = (
        _("The platform goes on trying; look again in a few minutes. If it stays so, ask the provider.")
        if late
        else _("Mend the cause and try again. If you can't, ask the provider and give the number of this operation.")
    )
    return Outcome(str(error.get("detail") or found.message), usable, remedy)


def cancel(request: HttpRequest, operation_id: str) -> HttpResponse:
    """Cancel what can be cancelled."""
    actor = actor_of(request)
    found = access_operation(actor, operation_id, "service.operate")
    here = reverse("resources:operation", args=[found.public_id])
    dialog = Dialog(
        title=_("Cancel “%(what)s”?") % {"what": operation_words(found)},
        submit=_("Cancel it"),
        action=reverse("resources:cancel_operation", args=[found.public_id]),
        back=here,
        is_danger=True,
        effects=(_what_goes(found),),
    )

    def act() -> HttpResponse:
        actions.cancel_operation(actor, found)
        return done(request, here, _("It is being cancelled."))

    return ask(request, found.resource, dialog, act)


def _what_goes(found: Operation) -> Effect:
    if found.type == "create":
        return Effect(_("The order is taken back, and all that was made for it is removed."), "trash-2", "warning")
    return Effect(_("What it has done so far is thrown away."), "ban", "warning")
