"""The public page of what is announced: incidents, maintenance, notices, going on and past."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.notify import queries


@require_safe
def announcement_list(request: HttpRequest) -> HttpResponse:
    """Show what goes on now, what is to come, and what was, for everybody to read."""
    now = timezone.now()
    found = list(queries.announcements()[:100])
    context = {
        "current": [a for a in found if a.is_current(now)],
        "coming": [a for a in reversed(found) if a.starts_at > now and a.resolved_at is None],
        "past": [a for a in found if a.starts_at <= now and not a.is_current(now)],
    }
    return render(request, "notify/announcement_list.html", context)
