"""Pages of an organization's webhooks: list, new, one with its log, and what is done with it."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts.actors import actor_of
from portal.core import ids
from portal.core.counting import total_of
from portal.core.errors import Problem
from portal.core.htmx import signed_in
from portal.notify import actions, bodies, kinds, queries
from portal.notify.actions import Wanted
from portal.notify.models import Webhook
from portal.projects import access, webhooks
from portal.projects.models import Organization
from portal.projects.tabs import tabs_of
from portal.projects.webhooks import Place

PAGE = 25


class WebhookForm(forms.Form):
    """Where to, what of, and for whom."""

    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=2000,
        widget=forms.URLInput(attrs={"placeholder": "https://hooks.example.org/archipel"}),
        help_text=gettext_lazy("It begins with https:// and can be reached from the Internet."),
    )
    description = forms.CharField(label=gettext_lazy("Description"), max_length=200, required=False)
    project = forms.ChoiceField(label=gettext_lazy("Project"), required=False)
    event_types = forms.MultipleChoiceField(
        label=gettext_lazy("Events"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        choices=list(kinds.EVENT_TYPES.items()),
        help_text=gettext_lazy("None ticked means all, also those that come later."),
    )
    enabled = forms.BooleanField(label=gettext_lazy("Switched on"), required=False, initial=True)

    def __init__(self, data: Any, organization: Organization, **options: Any) -> None:
        super().__init__(data, **options)
        choices = [(project.slug, project.name) for project in organization.projects.all()]
        self.fields["project"].choices = [("", _("All projects")), *choices]  # type: ignore[attr-defined]

    @property
    def wanted(self) -> Wanted:
        data = self.cleaned_data
        return Wanted(data["url"], data["description"], data["event_types"], data["enabled"])

    def place(self, problem: Problem) -> None:
        """Put an action's errors beside their fields. Raises the problem again where it names none."""
        if not problem.errors:
            raise problem
        for error in problem.errors:
            name = error.pointer.split("/")[1]
            self.add_error(name if name in self.fields else None, error.detail)


@signed_in
@require_safe
def webhook_list(request: HttpRequest, organization: str) -> HttpResponse:
    """List the webhooks of an organization."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, webhooks.PERMISSION)
    projects = {project.id: project for project in found.projects.all()}
    hooks = [
        (hook, projects.get(hook.project_id) if hook.project_id else None) for hook in queries.webhooks_of(found.id)
    ]
    context = {"organization": found, "tabs": tabs_of(actor, found, "webhooks"), "webhooks": hooks}
    return render(request, "projects/webhook_list.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def webhook_create(request: HttpRequest, organization: str) -> HttpResponse:
    """Ask where to and for what; the answer to the POST shows the secret, this once."""
    actor = actor_of(request)
    found = access.access_organization(actor, organization, webhooks.PERMISSION)
    form = WebhookForm(request.POST or None, found)
    if request.method == "POST" and form.is_valid():
        try:
            made, secret = webhooks.create(
                actor, organization=found, wanted=form.wanted, project=form.cleaned_data["project"]
            )
        except Problem as problem:
            form.place(problem)
        else:
            return _page(request, Place(found, made), secret)
    context = {"organization": found, "tabs": tabs_of(actor, found, "webhooks"), "form": form}
    return render(request, "projects/webhook_form.html", context, status=422 if form.errors else 200)


@signed_in
@require_safe
def webhook_detail(request: HttpRequest, organization: str, webhook: str) -> HttpResponse:
    """Show a webhook with its log of deliveries."""
    return _page(request, webhooks.access_webhook(actor_of(request), organization, webhook))


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def webhook_edit(request: HttpRequest, organization: str, webhook: str) -> HttpResponse:
    """Change a webhook; another address brings a new secret, which the answer shows."""
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    form = WebhookForm(request.POST or None, place.organization, initial=_initial(place.webhook))
    form.fields.pop("project")  # what it is for stays as it was made
    if request.method == "POST" and form.is_valid():
        try:
            changed, secret = actions.change_webhook(actor, place.webhook, wanted=form.wanted)
        except Problem as problem:
            form.place(problem)
        else:
            if secret:
                return _page(request, Place(place.organization, changed), secret)
            messages.success(request, _("The webhook was changed."))
            return redirect("webhook_detail", organization, webhook)
    context = {
        "organization": place.organization,
        "tabs": tabs_of(actor, place.organization, "webhooks"),
        "webhook": place.webhook,
        "form": form,
    }
    return render(request, "projects/webhook_form.html", context, status=422 if form.errors else 200)


@signed_in
@require_POST
@never_cache
def webhook_rotate(request: HttpRequest, organization: str, webhook: str) -> HttpResponse:
    """Make a new secret and show it, this once."""
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    changed, secret = actions.rotate_secret(actor, place.webhook)
    return _page(request, Place(place.organization, changed), secret)


@signed_in
@require_POST
def webhook_test(request: HttpRequest, organization: str, webhook: str) -> HttpResponse:
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    made = actions.send_test(actor, place.webhook)
    messages.success(request, _("A test is on its way. This page shows how it went."))
    return redirect("webhook_delivery", organization, webhook, made.public_id)


@signed_in
@require_POST
def webhook_delete(request: HttpRequest, organization: str, webhook: str) -> HttpResponse:
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    actions.delete_webhook(actor, place.webhook)
    messages.success(request, _("The webhook was deleted."))
    return redirect("webhook_list", organization)


@signed_in
@require_safe
def webhook_delivery(request: HttpRequest, organization: str, webhook: str, delivery: str) -> HttpResponse:
    """Show one delivery: each try, and what is sent."""
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    found = webhooks.access_delivery(place, delivery)
    context = {
        "organization": place.organization,
        "webhook": place.webhook,
        "delivery": found,
        "body": bodies.body_of(found.happening).decode(),
    }
    return render(request, "projects/webhook_delivery.html", context)


@signed_in
@require_POST
def webhook_replay(request: HttpRequest, organization: str, webhook: str, delivery: str) -> HttpResponse:
    actor = actor_of(request)
    place = webhooks.access_webhook(actor, organization, webhook)
    made = actions.replay(actor, webhooks.access_delivery(place, delivery))
    messages.success(request, _("It is sent again."))
    return redirect("webhook_delivery", organization, webhook, made.public_id)


def _initial(webhook: Webhook) -> dict[str, Any]:
    return {name: getattr(webhook, name) for name in ("url", "description", "event_types", "enabled")}


def _page(request: HttpRequest, place: Place, secret: str = "") -> HttpResponse:
    """Draw a webhook with a page of its log; ``secret`` only in the answer to what made it."""
    rows = queries.deliveries_of(place.webhook)
    key = ids.decode("dlv", request.GET.get("cursor", ""))
    found = list((rows.filter(pk__lt=key) if key else rows)[: PAGE + 1])
    more = found[PAGE - 1].public_id if len(found) > PAGE else ""
    context = {
        "organization": place.organization,
        "tabs": tabs_of(actor_of(request), place.organization, "webhooks"),
        "webhook": place.webhook,
        "project": webhooks.project_of(place),
        "event_types": [(name, kinds.EVENT_TYPES.get(name, name)) for name in place.webhook.event_types],
        "deliveries": found[:PAGE],
        "page": {"items": found[:PAGE], "next_cursor": more, "total_count": total_of(rows)},
        "secret": secret,
    }
    return render(request, "projects/webhook_detail.html", context)
