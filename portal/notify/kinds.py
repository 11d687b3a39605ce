"""The kinds of notification, each with its sentence, and the types of event that webhooks can ask for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of notification: its name in preferences, its sentence with ``%(name)s`` for params, where it is told."""

    slug: str
    name: str | Promise
    sentence: str | Promise
    icon: str = "bell"
    tone: str = "info"
    console: bool = True
    mail: bool = False
    is_fixed: bool = False  # about safety: can't be switched off


_ALL = (
    Kind("member.added", _("You were added"), _("You are %(role)s of %(organization)s now."), "user-plus", mail=True),
    Kind(
        "member.removed",
        _("You were removed"),
        _("You do not belong to %(organization)s any more."),
        "users",
        mail=True,
    ),
    Kind("role.changed", _("Your role changed"), _("You are %(role)s of %(organization)s now."), "users"),
    Kind(
        "invitation.accepted",
        _("Invitation accepted"),
        _("%(person)s has joined %(organization)s."),
        "user-plus",
        "success",
    ),
    Kind(
        "quota.requested", _("Quota asked for"), _("%(organization)s asks for more: %(resource)s."), "gauge", mail=True
    ),
    Kind(
        "quota.answered",
        _("Quota answered"),
        _("The request for %(resource)s was answered: %(answer)s."),
        "gauge",
        mail=True,
    ),
    Kind(
        "operation.failed",
        _("Operation failed"),
        _("%(operation)s of %(service)s did not succeed: %(message)s"),
        "circle-x",
        "danger",
        mail=True,
    ),
    Kind(
        "backup.failed",
        _("Backup failed"),
        _("A backup of %(service)s did not succeed: %(message)s"),
        "archive",
        "danger",
        mail=True,
    ),
    Kind(
        "webhook.disabled",
        _("Webhook switched off"),
        _("The webhook to %(host)s was switched off: %(why)s"),
        "webhook",
        "warning",
        mail=True,
    ),
    Kind(
        "security",
        _("Safety of your account"),
        _("%(what)s"),
        "shield-check",
        "warning",
        mail=True,
        is_fixed=True,
    ),
)
_kinds: dict[str, Kind] = {kind.slug: kind for kind in _ALL}


def register(kind: Kind) -> None:
    """Add a kind that belongs to somebody further up; called when an app is ready."""
    _kinds[kind.slug] = kind


def kinds() -> Mapping[str, Kind]:
    return _kinds


def sentence(slug: str, params: Mapping[str, Any]) -> str:
    """Return what is told, in the reader's language. A kind that left the code, or a missing word, breaks no page."""
    kind = _kinds.get(slug)
    if kind is None:
        return slug
    try:
        return str(kind.sentence) % {name: str(value) for name, value in params.items()}
    except (KeyError, ValueError):
        return str(kind.name)


EVENT_TYPES: Mapping[str, str | Promise] = {
    "service.created": _("A service was ordered"),
    "service.updated": _("A service was changed"),
    "service.state_changed": _("A service has another state or health"),
    "service.deleted": _("A service was deleted"),
    "operation.finished": _("An operation has come to its end"),
    "backup.finished": _("A backup was made"),
    "backup.failed": _("A backup has failed"),
    "member.added": _("Somebody was added or has another role"),
    "member.removed": _("Somebody was removed or has left"),
    "invitation.accepted": _("An invitation was accepted"),
    "quota.answered": _("A request for quota was answered"),
}
TEST = "webhook.test"  # what the button sends; always heard
