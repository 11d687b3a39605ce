"""Conditions that need attention, explained: what is the case, who can mend it, and the next step."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.core import conditions
from portal.core.conditions import Condition, Status
from portal.core.templatetags.states import word
from portal.resources.actions.maintaining import pending_update
from portal.resources.models import Operation, Resource
from portal.resources.presenters.words import operation_words

# The engine's own, and what the state says already.
QUIET = frozenset({"Accepted", "Synced", "Ready", "Stopped", "Stalled", "UpdatePending"})
TITLES: dict[str, Promise] = {
    "DiskNearlyFull": gettext_lazy("The disk is nearly full"),
    "DiskFull": gettext_lazy("The disk is full"),
    "BackupOverdue": gettext_lazy("No recent backup"),
    "CertificateExpiring": gettext_lazy("The certificate ends soon"),
    "ConnectionsNearlyExhausted": gettext_lazy("Connections are nearly used up"),
}
YOU = gettext_lazy("You can mend this.")
PLATFORM = gettext_lazy("The platform mends this by itself; there is nothing that you have to do.")
# Type of condition -> (what the next step is called, the page it is on).
NEXT_STEPS: dict[str, tuple[Promise, str]] = {
    "DiskNearlyFull": (gettext_lazy("Make the disk larger"), "settings"),
    "DiskFull": (gettext_lazy("Make the disk larger"), "settings"),
    "ConnectionsNearlyExhausted": (gettext_lazy("Choose a larger plan"), "resize"),
    "Stalled": (gettext_lazy("Read the log"), "logs"),
    "Refused": (gettext_lazy("Change the settings"), "settings"),
    "Ready": (gettext_lazy("Read the log"), "logs"),
}


@dataclass(frozen=True, slots=True)
class Notice:
    """Something to look at. ``step`` and ``url`` are the next step, where there is one to take."""

    tone: str
    title: str | Promise
    message: str
    who: str | Promise = ""
    step: str | Promise = ""
    url: str = ""


def notices_of(resource: Resource, newest: Operation | None, permissions: frozenset[str]) -> list[Notice]:
    """Return what needs attention, the worst first. ``newest`` is the last operation on the whole service."""
    if resource.deletion_requested_at is not None:
        return []
    stuck = list(_stuck(resource))
    found = [*(stuck or _failed_operation(resource, newest)), *_warnings(resource), *_update(resource)]
    return found if "service.operate" in permissions else [_without_step(notice) for notice in found]


def _stuck(resource: Resource) -> Iterator[Notice]:
    """Say why a service does not serve, or why the last change has not arrived."""
    seen = {condition.type: condition for condition in conditions.load(resource.conditions)}
    synced, stalled, ready = seen.get("Synced"), seen.get("Stalled"), seen.get("Ready")
    if stalled and stalled.status is Status.TRUE:
        yield _notice(resource, "danger", _("The service can't start"), stalled, YOU, "Stalled")
    elif synced and synced.status is Status.FALSE and synced.reason == "Refused":
        yield _notice(resource, "danger", _("The last change was refused"), synced, YOU, "Refused")
    elif synced and synced.status is Status.FALSE:
        yield _notice(resource, "warning", _("The last change has not arrived yet"), synced, PLATFORM, "")
    elif resource.health == "unavailable" and resource.state == "running" and ready:
        yield _notice(resource, "danger", _("The service does not answer"), ready, PLATFORM, "Ready")


def _failed_operation(resource: Resource, newest: Operation | None) -> Iterator[Notice]:
    if newest is None or newest.state not in ("failed", "timed_out"):
        return
    words = {"what": operation_words(newest), "state": str(word(newest.state).label).lower()}
    url = reverse("resources:operation", args=[newest.public_id])
    tone = "danger" if newest.state == "failed" else "warning"
    yield Notice(tone, _("%(what)s: %(state)s") % words, newest.message, step=_("See what happened"), url=url)


def _warnings(resource: Resource) -> Iterator[Notice]:
    for condition in conditions.load(resource.conditions):
        if condition.status is Status.TRUE and condition.type not in QUIET:
            title = TITLES.get(condition.type) or spaced(condition.type)
            yield _notice(resource, "warning", title, condition, YOU, condition.type)


def _update(resource: Resource) -> Iterator[Notice]:
    """Say what the platform will do in the next window, and offer to do it now."""
    update = pending_update(resource, timezone.now())
    if update is None or resource.ready_once_at is None:
        return
    when = _("Planned for %(time)s UTC, in the maintenance window.") % {"time": f"{update.start_at:%Y-%m-%d %H:%M}"}
    url = reverse("resources:do", args=[resource.public_id, "upgrade"])
    yield Notice("info", _("An update is waiting"), f"{update.description} {when}", step=_("Update now"), url=url)


def _notice(
    resource: Resource, tone: str, title: str | Promise, condition: Condition, who: Promise, key: str
) -> Notice:
    step, page = NEXT_STEPS.get(key, ("", ""))
    url = reverse(f"resources:{page}", args=[resource.public_id]) if page else ""
    return Notice(tone, title, condition.message, who, step, url)


def _without_step(notice: Notice) -> Notice:
    """Return the same for a reader who may not take the step."""
    who = _("An admin or developer of the project can mend this.") if notice.who is YOU else notice.who
    return Notice(notice.tone, notice.title, notice.message, who)


def spaced(word: str) -> str:
    """Write ``DiskNearlyFull`` as ``Disk nearly full``."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", word) or [word]
    return " ".join(parts).capitalize()
