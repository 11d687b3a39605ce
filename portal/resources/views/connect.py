"""The Connect page: how to reach a service as one of its logins, revealing, and exchanging a login."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from portal.accounts.reauthentication import recently
from portal.clusters import reads
from portal.core import ids
from portal.core.drivers import Connection
from portal.core.errors import not_found
from portal.core.htmx import done, wants_partial
from portal.resources import actions, queries
from portal.resources.access import access_credential
from portal.resources.models import Child
from portal.resources.presenters.connections import Shown, is_awaited, masked, revealed, rotation_of, waits_for
from portal.resources.presenters.effects import Effect
from portal.resources.views.dialogs import Dialog, ask
from portal.resources.views.page import ServicePage, load, reached, show


@dataclass(frozen=True, slots=True)
class Login:
    """A login that can be chosen: its row, ``cred_`` id, and how to connect as it."""

    child: Child
    public_id: str
    connection: Connection


def connect(request: HttpRequest, service_id: str) -> HttpResponse:
    """Show how to connect, as the main login or the chosen one, with the secret masked; before, what is waited for."""
    page = load(request, service_id)
    logins = _logins(page)
    if is_awaited(page.resource):
        return _page(page, [], None, None)
    chosen = _chosen(logins, request.GET.get("user", ""))
    return _page(page, logins, chosen, masked(chosen.connection) if chosen else None)


def _page(page: ServicePage, logins: list[Login], chosen: Login | None, shown: Shown | None) -> HttpResponse:
    context = {
        "logins": logins,
        "chosen": chosen,
        "shown": shown,
        "rotation": rotation_of(chosen.child, [login.child for login in logins]) if chosen else None,
        "hidden": masked(chosen.connection) if chosen else None,
        "endpoints": page.resource.facts.get("endpoints", []),
        "waits_for": waits_for(page.resource),
        "may_reveal": "service.secrets" in page.permissions,
    }
    response = show(page, "connect", "service_connect", context)
    response["Cache-Control"] = "no-store"
    return response


def _logins(page: ServicePage) -> list[Login]:
    """Return the logins, the main one first, each with its child. Raises ``not_found`` where the offering has none."""
    kind = page.resource.offering.credentials_kind
    if kind is None:
        raise not_found()
    rows = {child.id: child for child in queries.children(page.resource, kind.slug).filter(deletion_requested_at=None)}
    found = [c for c in queries.connections(page.resource) if c.child_id in rows]
    return [Login(rows[c.child_id], ids.encode("cred", c.child_id), c) for c in found]


def _chosen(logins: list[Login], public_id: str) -> Login | None:
    named = next((login for login in logins if login.public_id == public_id), None)
    return named or (logins[0] if logins else None)


@require_POST
@recently
def reveal(request: HttpRequest, service_id: str, credential_id: str) -> HttpResponse:
    """Show a login's secret, once per click: one part of it to htmx, or the whole page."""
    page = load(request, service_id, "service.secrets")
    child = access_credential(page.actor, page.resource, credential_id, "service.secrets")
    secrets = reached(lambda: actions.reveal(page.actor, child))
    logins = _logins(page)
    chosen = next((login for login in logins if login.child.id == child.id), None)
    if chosen is None:
        raise not_found()
    shown = revealed(chosen.connection, secrets)
    if not wants_partial(request):
        return _page(page, logins, chosen, shown)
    template = "secret" if request.GET.get("part") in ("password", "uri") else "connection"
    context = {
        "service": page.resource,
        "shown": shown,
        "hidden": masked(chosen.connection),
        "part": request.GET.get("part"),
        "may_reveal": True,
    }
    response = render(request, f"resources/partials/{template}.html", context)
    response["Cache-Control"] = "no-store"
    return response


def certificate(request: HttpRequest, service_id: str) -> HttpResponse:
    """Download the certificate that verifies the service's endpoints."""
    page = load(request, service_id)
    resource = page.resource
    connection = next(iter(queries.connections(resource)), None)  # all of a service have the same authority
    pem = reached(lambda: reads.authority(resource.cluster, resource.handle, connection))
    whose = resource.name if connection and connection.authority else resource.region.slug
    response = HttpResponse(pem, content_type="application/x-pem-file")
    response["Content-Disposition"] = f'attachment; filename="{whose}-ca.pem"'
    return response


@recently
def rotate(request: HttpRequest, service_id: str, credential_id: str) -> HttpResponse:
    """Exchange a login without downtime: a successor appears beside it."""
    page = load(request, service_id, "service.secrets")
    child = access_credential(page.actor, page.resource, credential_id, "service.secrets")
    dialog = Dialog(
        title=_("Rotate %(name)s?") % {"name": child.name},
        submit=_("Rotate"),
        action=page.url("rotate", credential_id),
        back=page.url("connect"),
        effects=(
            Effect(_("A second login with the same rights and a new password appears."), "user-plus"),
            Effect(_("Both work until you complete the exchange, so that your applications have time."), "clock"),
            Effect(_("Connections stay open."), "plug"),
        ),
    )

    def act() -> HttpResponse:
        operation = actions.rotate_credential(page.actor, child)
        name = operation.child_name
        back = f"{page.url('connect')}?user={ids.encode('cred', operation.child_id or child.id)}"
        return done(request, back, _("%(name)s is being made.") % {"name": name})

    return ask(request, page.resource, dialog, act)


@recently
def complete(request: HttpRequest, service_id: str, credential_id: str) -> HttpResponse:
    """End an exchange: the old login stops working."""
    page = load(request, service_id, "service.secrets")
    child = access_credential(page.actor, page.resource, credential_id, "service.secrets")
    exchange = rotation_of(child, list(queries.children(page.resource, child.kind).filter(deletion_requested_at=None)))
    old = exchange.old.name if exchange else child.name
    dialog = Dialog(
        title=_("Remove %(name)s?") % {"name": old},
        submit=_("Complete the exchange"),
        action=page.url("complete_rotation", credential_id),
        back=page.url("connect"),
        is_danger=True,
        effects=(
            Effect(
                _("%(name)s stops working. What still uses it can't connect any more.") % {"name": old},
                "ban",
                "warning",
            ),
        ),
    )

    def act() -> HttpResponse:
        actions.complete_rotation(page.actor, child)
        return done(request, page.url("connect"), _("%(name)s is being removed.") % {"name": old})

    return ask(request, page.resource, dialog, act)
