"""Verbs on webhooks. Who may is decided further up, where organizations are known; each writes its audit row here.

A secret is returned once by what makes it, and never goes to an address that it was not made for (security case 12).
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit import actions as audit
from portal.core import outbound, texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, conflict, invalid
from portal.core.vault import seal
from portal.notify import kinds, tasks
from portal.notify.models import Delivery, Happening, Webhook
from portal.notify.signing import new_secret

MOST = 20  # webhooks of an organization
OVERLAP = datetime.timedelta(hours=24)  # a retired secret signs as well
LONGEST_DESCRIPTION = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants of a webhook; None leaves a field as it is."""

    url: str | None = None
    description: str | None = None
    event_types: Sequence[str] | None = None
    enabled: bool | None = None


def create_webhook(
    actor: Actor, *, organization_id: uuid.UUID, wanted: Wanted, project_id: uuid.UUID | None = None
) -> tuple[Webhook, str]:
    """Make a webhook and return it with its secret, which is told this once.

    Raises Problem ``invalid_arguments`` that names each wrong field; the address is looked up, outside the transaction.
    """
    url = _checked(wanted)
    secret = new_secret()
    with transaction.atomic():
        _refuse_many(organization_id)
        made = Webhook.objects.create(
            organization_id=organization_id,
            project_id=project_id,
            url=url,
            description=wanted.description or "",
            event_types=sorted(set(wanted.event_types or ())),
            enabled=wanted.enabled is not False,
            secret=seal(secret),
            created_by=actor.id,
        )
        _record(actor, "webhook.create", made, {"host": [None, made.host], "event_types": [[], made.event_types]})
    return made, secret


def change_webhook(actor: Actor, webhook: Webhook, *, wanted: Wanted) -> tuple[Webhook, str]:
    """Change a webhook; return it with a new secret where the address is another one, else with an empty text.

    Deliveries that wait for the old address are dropped with it. Raises Problem as ``create_webhook``.
    """
    url = _checked(wanted) if wanted.url is not None else None
    if url is None:
        _check_words(wanted)
    with transaction.atomic():
        held = _held(webhook)
        before = {name: getattr(held, name) for name in ("host", "description", "event_types", "enabled")}
        moved = url is not None and url != held.url
        secret = _move(held, str(url)) if moved else ""
        _lay_over(held, wanted)
        held.save()
        diff = {name: [old, new] for name, old in before.items() if (new := getattr(held, name)) != old}
        if diff or moved:
            _record(actor, "webhook.change", held, diff | ({"secret": ["…", "…"]} if moved else {}))
    return held, secret


def rotate_secret(actor: Actor, webhook: Webhook) -> tuple[Webhook, str]:
    """Make a new secret and return it; the one before signs as well for a day, so that receivers can follow."""
    secret = new_secret()
    with transaction.atomic():
        held = _held(webhook)
        held.retired, held.retired_until, held.secret = held.secret, timezone.now() + OVERLAP, seal(secret)
        held.save(update_fields=["retired", "retired_until", "secret"])
        _record(actor, "webhook.rotate", held, {"secret": ["…", "…"]})
    return held, secret


@transaction.atomic
def delete_webhook(actor: Actor, webhook: Webhook) -> None:
    """Delete a webhook with its log; what waits for it is not sent."""
    held = _held(webhook)
    _record(actor, "webhook.delete", held, {"host": [held.host, None]})
    held.delete()


@transaction.atomic
def send_test(actor: Actor, webhook: Webhook) -> Delivery:
    """Send a test to a webhook, also to one that is switched off. The delivery tells how it went."""
    held = _held(webhook)
    happening = Happening.objects.create(
        type=kinds.TEST,
        organization_id=held.organization_id,
        project_id=held.project_id,
        subject=held.public_id,
        data={"message": "This is a test."},
    )
    _record(actor, "webhook.test", held, {})
    return _queued(held, happening)


@transaction.atomic
def replay(actor: Actor, delivery: Delivery) -> Delivery:
    """Send a happening again, as a delivery of its own. Raises Problem while the first is still on its way."""
    held = _held(delivery.webhook)
    if delivery.state == Delivery.State.PENDING:
        raise conflict("still_pending", _("This delivery is still on its way."))
    _record(actor, "webhook.replay", held, {"event": [None, delivery.happening.public_id]})
    return _queued(held, delivery.happening)


def _queued(webhook: Webhook, happening: Happening) -> Delivery:
    made = Delivery.objects.create(webhook=webhook, happening=happening)
    transaction.on_commit(tasks.enqueue_delivery)
    return made


def _checked(wanted: Wanted) -> str:
    """Return the address in its one form. Raises Problem that names each wrong field, the address among them."""
    errors = _errors(wanted)
    try:
        target = outbound.check((wanted.url or "").strip())
    except Problem as problem:
        raise invalid(*problem.errors, *errors) from problem
    if errors:
        raise invalid(*errors)
    return target.url


def _check_words(wanted: Wanted) -> None:
    if errors := _errors(wanted):
        raise invalid(*errors)


def _errors(wanted: Wanted) -> list[FieldError]:
    description = wanted.description or ""
    errors = texts.errors("/description", description)
    if len(description) > LONGEST_DESCRIPTION:
        say = _("Write at most %(number)d characters.") % {"number": LONGEST_DESCRIPTION}
        errors.append(FieldError("/description", "length", say))
    unknown = [(n, name) for n, name in enumerate(wanted.event_types or ()) if name not in kinds.EVENT_TYPES]
    say = _("Choose one of %(known)s.") % {"known": ", ".join(kinds.EVENT_TYPES)}
    return errors + [FieldError(f"/event_types/{n}", "choice", say) for n, _name in unknown]


def _refuse_many(organization_id: uuid.UUID) -> None:
    if Webhook.objects.filter(organization_id=organization_id).count() >= MOST:
        say = _("There are %(number)d webhooks already. Delete one that is not used.") % {"number": MOST}
        raise conflict("too_many", say)


def _held(webhook: Webhook) -> Webhook:
    return Webhook.objects.select_for_update().get(id=webhook.id)


def _move(webhook: Webhook, url: str) -> str:
    """Lead a webhook elsewhere: with a new secret, and without what waited for the old address."""
    secret = new_secret()
    webhook.url, webhook.secret, webhook.retired, webhook.retired_until = url, seal(secret), "", None
    webhook.failing_since, webhook.is_slow = None, False
    drop_waiting(webhook)
    return secret


def _lay_over(webhook: Webhook, wanted: Wanted) -> None:
    if wanted.description is not None:
        webhook.description = wanted.description
    if wanted.event_types is not None:
        webhook.event_types = sorted(set(wanted.event_types))
    if wanted.enabled is not None:
        if wanted.enabled and not webhook.enabled:
            webhook.failing_since, webhook.is_slow = None, False
        elif not wanted.enabled:
            drop_waiting(webhook)
        webhook.enabled, webhook.disabled_reason = wanted.enabled, ""


def drop_waiting(webhook: Webhook) -> None:
    """Let go of what waits for a webhook."""
    rows = Delivery.objects.filter(webhook=webhook, state=Delivery.State.PENDING)
    rows.update(state=Delivery.State.DROPPED, finished_at=timezone.now(), lease_until=None)


def _record(actor: Actor, action: str, webhook: Webhook, changes: dict[str, list[object]]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="webhook",
        target_id=webhook.id,
        target_name=webhook.label,
        organization_id=webhook.organization_id,
        project_id=webhook.project_id,
        changes=changes,
    )
