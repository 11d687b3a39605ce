"""What is done to a whole service: its offering's verbs, resize, delete, undelete. Each asks first."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from portal.accounts.reauthentication import ask_again, is_recent
from portal.clusters.placement import keeps_backups, places
from portal.core.errors import Problem, not_found
from portal.core.htmx import done, wants_partial
from portal.core.offerings import Plan, Verb
from portal.core.pricing import Price
from portal.projects import access
from portal.resources import actions
from portal.resources.actions.lifecycle import newer_releases
from portal.resources.forms import DeleteForm, NameForm, PlanForm, VersionForm, cheapest_first
from portal.resources.models import Child, Operation, Quote
from portal.resources.parts import price_with_parts
from portal.resources.presenters.effects import (
    Effect,
    effects_of_delete,
    effects_of_quote,
    effects_of_verb,
    restart_effect,
)
from portal.resources.views.dialogs import Dialog, ask
from portal.resources.views.page import ServicePage, load, show

Deed = Callable[[], Operation]


def do(request: HttpRequest, service_id: str, verb: str) -> HttpResponse:
    """Ask for one of the offering's verbs, and do it."""
    page = load(request, service_id)
    declared = page.resource.offering.verb(verb)
    if declared is None or verb not in ("restart", "stop", "start", "upgrade", "fork"):
        raise not_found()
    access.require(page.actor, page.resource.project, declared.permission, on=page.resource.name)
    dialog = _dialog(page, declared)

    def act() -> HttpResponse:
        operation = _deed(page, verb, dialog)()
        return done(request, _home_of(operation), _("%(verb)s has begun.") % {"verb": declared.name})

    return ask(request, page.resource, dialog, act)


def _dialog(page: ServicePage, verb: Verb) -> Dialog:
    words = {"verb": verb.name, "name": page.resource.name}
    dialog = Dialog(
        title=_("%(verb)s %(name)s?") % words,
        submit=verb.name,
        action=page.url("do", verb.slug),
        back=page.url("service"),
        effects=effects_of_verb(verb, _quote(page, verb)),
    )
    data = page.request.POST if page.request.method == "POST" else None
    if verb.slug == "upgrade":
        dialog.form = VersionForm(newer_releases(page.resource), data)
        dialog.effects = (restart_effect(page.resource),)
    elif verb.slug == "restart":
        dialog.effects = (restart_effect(page.resource), *dialog.effects)
    elif verb.slug == "fork":
        dialog.form = NameForm(data, help_text=_("A copy is made from the newest complete backup."))
    return dialog


def _quote(page: ServicePage, verb: Verb) -> Quote | None:
    if verb.slug not in ("stop", "start"):
        return None
    return actions.preview_change(page.actor, page.resource, {"running": verb.slug == "start"})


def _deed(page: ServicePage, verb: str, dialog: Dialog) -> Deed:
    actor, resource = page.actor, page.resource
    typed = dialog.form.cleaned_data if dialog.form is not None else {}
    deeds: dict[str, Deed] = {
        "restart": lambda: actions.restart(actor, resource),
        "stop": lambda: actions.stop(actor, resource),
        "start": lambda: actions.start(actor, resource),
        "upgrade": lambda: actions.upgrade(actor, resource, version=typed["version"]),
        "fork": lambda: actions.fork(actor, resource, name=typed["name"]),
    }
    return deeds[verb]


def _home_of(operation: Operation) -> str:
    """Return the page of the service that the operation is about: a fork's is the new one."""
    return reverse("resources:service", args=[operation.resource.public_id])


def resize(request: HttpRequest, service_id: str) -> HttpResponse:
    """Choose another plan: cards, and what the chosen one does to price and connections."""
    page = load(request, service_id, "service.spend")
    if page.resource.offering.verb("resize") is None:
        raise not_found()
    form = PlanForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            actions.resize(page.actor, page.resource, plan=form.cleaned_data["plan"])
            return done(request, page.url("service"), _("Resize has begun."))
        except Problem as problem:
            return _plans(page, form.cleaned_data["plan"], problem.detail, status=422)
    return _plans(page, request.GET.get("plan", ""))


def _plans(page: ServicePage, chosen: str, problem: str = "", *, status: int = 200) -> HttpResponse:
    resource = page.resource
    effects: tuple[Effect, ...] = ()
    if chosen and chosen != resource.plan_slug and resource.offering.plan(chosen):
        effects = effects_of_quote(actions.preview_change(page.actor, resource, {"plan": chosen}))
    context = {
        "choices": [_choice(page, plan) for plan in cheapest_first(resource.offering.plans)],
        "chosen": chosen or resource.plan_slug,
        "effects": effects,
        "problem": problem,
        "keeps_backups": keeps_backups(resource.offering, resource.cluster),
    }
    part = wants_partial(page.request) and page.request.method == "GET"
    template = "partials/resize_effects" if part else "partials/resize_form" if wants_partial(page.request) else ""
    return show(page, "settings", template or "service_resize", context, status=status)


def _choice(page: ServicePage, plan: Plan) -> tuple[Plan, Price, str]:
    """Return a plan with its price for these settings, and why it can't be chosen here."""
    resource = page.resource
    price = price_with_parts(resource.offering, plan, resource.load_spec(), region=resource.region.slug)
    place = places(resource.offering, [resource.cluster], release=resource.release, plan=plan)[0]
    return plan, price, capfirst(str(place.reason))


def delete(request: HttpRequest, service_id: str) -> HttpResponse:
    """Delete a service: into the bin or, for who has lately proven who they are, for good, by typing its name."""
    page = load(request, service_id, "service.delete")
    resource = page.resource
    children = list(Child.objects.filter(resource=resource, deletion_requested_at=None))
    dialog = Dialog(
        title=_("Delete %(name)s?") % {"name": resource.name},
        submit=_("Remove for good") if resource.in_bin else _("Delete"),
        action=page.url("delete"),
        back=page.url("service"),
        is_danger=True,
        must_type=resource.name,
    )
    if resource.in_bin:
        dialog.effects = (
            Effect(_("All data and backups are removed now. Nobody can bring them back."), "trash-2", "danger"),
        )
    else:
        dialog.form = DeleteForm(resource, request.POST if request.method == "POST" else None)
        dialog.effects = effects_of_delete(resource, children)

    def act() -> HttpResponse:
        policy = dialog.form.cleaned_data["deletion_policy"] if dialog.form else "wipe"
        if policy == "wipe" and not is_recent(request):
            return ask_again(request)
        actions.delete(page.actor, resource, policy=policy)
        return done(request, reverse("resources:services"), _("%(name)s is being deleted.") % {"name": resource.name})

    return ask(request, resource, dialog, act)


def undelete(request: HttpRequest, service_id: str) -> HttpResponse:
    """Bring a service back from the bin, under another name where its own is taken."""
    page = load(request, service_id, "service.create")
    form = NameForm(request.POST) if request.method == "POST" else NameForm(initial={"name": page.resource.name})
    dialog = Dialog(
        title=_("Bring back %(name)s?") % {"name": page.resource.name},
        submit=_("Undelete"),
        action=page.url("undelete"),
        back=f"{reverse('resources:services')}?bin=1",
        lead=_("It starts again with its data, address and credentials, and is billed from then on."),
        form=form,
    )

    def act() -> HttpResponse:
        actions.undelete(page.actor, page.resource, name=form.cleaned_data["name"])
        return done(request, page.url("service"), _("%(name)s is back.") % {"name": form.cleaned_data["name"]})

    return ask(request, page.resource, dialog, act)
