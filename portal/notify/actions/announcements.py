"""What operators announce to everybody, or to those with something in some regions. Each act has a reason."""

import datetime
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit import actions as audit
from portal.core import texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, permission_denied
from portal.notify import queries
from portal.notify.models import Announcement, AnnouncementUpdate

LONGEST_TITLE, LONGEST_TEXT = 120, 2000


@transaction.atomic
def announce(
    actor: Actor,
    *,
    kind: str,
    title: str,
    text: str = "",
    severity: str = Announcement.Severity.INFO,
    starts_at: datetime.datetime | None = None,
    ends_at: datetime.datetime | None = None,
    regions: Sequence[str] = (),
    reason: str,
) -> Announcement:
    """Tell people something from ``starts_at`` (now) until ``ends_at`` or until somebody ends it.

    ``regions`` are slugs; none means everybody. Raises Problem ``permission_denied`` or ``invalid_arguments``.
    """
    _require_operator(actor, title)
    starts_at = starts_at or timezone.now()
    errors = _choice_errors("/kind", kind, Announcement.Kind.values)
    errors += _choice_errors("/severity", severity, Announcement.Severity.values)
    errors += _text_errors("/title", title, LONGEST_TITLE) + _text_errors("/text", text, LONGEST_TEXT, needed=False)
    errors += _text_errors("/reason", reason, 500)
    if ends_at is not None and ends_at <= starts_at:
        errors.append(FieldError("/ends_at", "past", _("It has to end after it begins.")))
    if errors:
        raise invalid(*errors)
    made = Announcement.objects.create(
        kind=kind,
        severity=severity,
        title=title.strip(),
        text=text.strip(),
        regions=sorted(set(regions)),
        starts_at=starts_at,
        ends_at=ends_at,
        created_by=actor.id,
    )
    _record(actor, "announcement.publish", made, reason, {"title": [None, made.title], "regions": [[], made.regions]})
    return made


@transaction.atomic
def update_announcement(
    actor: Actor, announcement: Announcement, *, text: str, severity: str | None = None, reason: str
) -> AnnouncementUpdate:
    """Add what became known since. Raises Problem as ``announce``; ``announcement_over`` for one that was ended."""
    _require_operator(actor, announcement.title)
    errors = _text_errors("/text", text, LONGEST_TEXT) + _text_errors("/reason", reason, 500)
    errors += _choice_errors("/severity", severity, Announcement.Severity.values) if severity is not None else []
    if errors:
        raise invalid(*errors)
    held = _held(announcement)
    changes: dict[str, list[object]] = {}
    if severity not in (None, held.severity):
        changes["severity"] = [held.severity, severity]
    held.severity = severity or held.severity
    held.save(update_fields=["severity"])
    update = AnnouncementUpdate.objects.create(announcement=held, text=text.strip(), created_by=actor.id)
    _record(actor, "announcement.update", held, reason, changes)
    return update


@transaction.atomic
def end_announcement(actor: Actor, announcement: Announcement, *, text: str = "", reason: str) -> Announcement:
    """Say that it is over; ``text`` is the last word. It stays in the public list. Raises Problem as before."""
    _require_operator(actor, announcement.title)
    errors = _text_errors("/text", text, LONGEST_TEXT, needed=False) + _text_errors("/reason", reason, 500)
    if errors:
        raise invalid(*errors)
    held = _held(announcement)
    if text.strip():
        AnnouncementUpdate.objects.create(announcement=held, text=text.strip(), created_by=actor.id)
    held.resolved_at = timezone.now()
    held.save(update_fields=["resolved_at"])
    _record(actor, "announcement.end", held, reason, {})
    return held


def _held(announcement: Announcement) -> Announcement:
    held = Announcement.objects.select_for_update().get(id=announcement.id)
    if held.resolved_at is not None:
        raise conflict("announcement_over", _("This announcement was ended already. Publish a new one."))
    return held


def _require_operator(actor: Actor, on: str) -> None:
    if not (actor.is_operator or actor.kind == "system") or actor.scopes is not None:
        problem = permission_denied("provider.operate", on)
        raise audit.denied(problem, actor=actor, action="announcement.publish", target_kind="announcement")


def _choice_errors(pointer: str, value: str, choices: Sequence[str]) -> list[FieldError]:
    if value in choices:
        return []
    return [FieldError(pointer, "choice", _("Choose one of %(known)s.") % {"known": ", ".join(choices)})]


def _text_errors(pointer: str, text: str, longest: int, *, needed: bool = True) -> list[FieldError]:
    if needed and not text.strip():
        return [FieldError(pointer, "required", _("Write something here."))]
    if len(text) > longest:
        return [FieldError(pointer, "length", _("Write at most %(number)d characters.") % {"number": longest})]
    return texts.errors(pointer, text.strip(), lines=longest > LONGEST_TITLE)


def _record(
    actor: Actor, action: str, announcement: Announcement, reason: str, changes: dict[str, list[object]]
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="announcement",
        target_id=announcement.id,
        target_name=announcement.title,
        changes=changes,
        reason=reason,
    )
    transaction.on_commit(queries.forget_current)
