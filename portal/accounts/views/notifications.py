"""The pages of what a person is told: the list, marking it read, and where each kind is to be told."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from portal.accounts import notices
from portal.accounts.actors import actor_of
from portal.core import ids
from portal.core.counting import total_of
from portal.core.htmx import signed_in
from portal.notify import actions, kinds

PAGE = 50


@signed_in
@require_safe
def notification_list(request: HttpRequest) -> HttpResponse:
    """List what the person was told, newest first; ``?unread=1`` keeps what they have not read."""
    unread = request.GET.get("unread") == "1"
    rows = notices.visible(actor_of(request), unread=unread)
    key = ids.decode("ntf", request.GET.get("cursor", ""))
    found = list((rows.filter(pk__lt=key) if key else rows)[: PAGE + 1])
    more = found[PAGE - 1].public_id if len(found) > PAGE else ""
    context = {
        "notifications": [notices.shown(row) for row in found[:PAGE]],
        "page": {"items": found[:PAGE], "next_cursor": more, "total_count": total_of(rows)},
        "unread": unread,
        "views": [
            {"title": _("All"), "url": request.path, "active": not unread},
            {"title": _("Unread"), "url": f"{request.path}?unread=1", "active": unread},
        ],
    }
    return render(request, "notify/notification_list.html", context)


@signed_in
@require_POST
def notification_read_all(request: HttpRequest) -> HttpResponse:
    """Mark everything as read."""
    actions.mark_read(notices.reader(actor_of(request)))
    return redirect("notification_list")


@signed_in
@require_POST
def notification_open(request: HttpRequest, notification: str) -> HttpResponse:
    """Mark one as read and go to what it is about."""
    actor = actor_of(request)
    found = notices.access_notification(actor, notification)
    actions.mark_read(notices.reader(actor), notifications=[found.id])
    return redirect(found.link or "notification_list")


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def notification_preferences(request: HttpRequest) -> HttpResponse:
    """Ask for each kind where it is to be told: in the console, by mail."""
    actor = actor_of(request)
    if request.method == "POST":
        _keep(request.POST, notices.reader(actor))
        messages.success(request, _("Your choices were kept."))
        return redirect("notification_preferences")
    return render(request, "notify/notification_preferences.html", {"choices": notices.choices(actor)})


def _keep(sent: Any, person: Any) -> None:
    for slug in kinds.kinds():
        actions.prefer(person, kind=slug, console=f"{slug}:console" in sent, mail=f"{slug}:mail" in sent)
