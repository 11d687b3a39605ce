"""Facts that decide whether a customer may use a region: stated with a date and a document, withdrawn, never edited."""

import datetime
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.audit import actions as audit
from portal.clusters.models import Region, SovereigntyFact
from portal.core import texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, permission_denied
from portal.projects import access

LONGEST_VALUE, LONGEST_DOCUMENT = 200, 500
SOON = datetime.timedelta(days=30)  # before a fact ends, operators are told
_IS_HTTPS = URLValidator(schemes=["https"])


@dataclass(frozen=True, slots=True)
class Statement:
    """What an operator states of a region. ``document`` is the https address of what proves it."""

    kind: str
    value: str
    stated_on: datetime.date
    document: str
    valid_until: datetime.date | None = None


@transaction.atomic
def add_fact(actor: Actor, *, region: Region, statement: Statement, reason: str) -> SovereigntyFact:
    """State a fact of a region. Raises Problem ``permission_denied``, ``invalid_arguments``."""
    _require_operator(actor, region)
    errors = [*_errors(statement), *_reason_errors(reason)]
    if errors:
        raise invalid(*errors)
    fact = SovereigntyFact.objects.create(
        region=region,
        kind=statement.kind,
        value=statement.value.strip(),
        stated_on=statement.stated_on,
        valid_until=statement.valid_until,
        document=statement.document.strip(),
    )
    changes = {
        statement.kind: [None, fact.value],
        "stated_on": [None, str(fact.stated_on)],
        "document": [None, fact.document],
        **({"valid_until": [None, str(fact.valid_until)]} if fact.valid_until else {}),
    }
    _record(actor, "region.add_fact", region, changes, reason)
    return fact


@transaction.atomic
def withdraw_fact(actor: Actor, *, fact: SovereigntyFact, reason: str) -> None:
    """Say that a fact no longer holds; it stays readable. Raises Problem, ``fact_withdrawn`` where it was before."""
    _require_operator(actor, fact.region)
    if errors := _reason_errors(reason):
        raise invalid(*errors)
    if not SovereigntyFact.objects.filter(id=fact.id, withdrawn_at=None).update(withdrawn_at=timezone.now()):
        raise conflict("fact_withdrawn", _("This was withdrawn already."))
    _record(actor, "region.withdraw_fact", fact.region, {fact.kind: [fact.value, None]}, reason)


def holding(today: datetime.date | None = None) -> QuerySet[SovereigntyFact]:
    """Return the facts that hold on a day (today): stated by then, not at their end, not withdrawn."""
    day = today or timezone.now().date()
    lasting = Q(valid_until=None) | Q(valid_until__gte=day)
    return SovereigntyFact.objects.filter(lasting, withdrawn_at=None, stated_on__lte=day)


def with_facts(regions: QuerySet[Region]) -> QuerySet[Region]:
    """Fetch along what holds of each region, as ``holding_facts``: one query for all."""
    return regions.prefetch_related(Prefetch("facts", queryset=holding(), to_attr="holding_facts"))


def past_facts(region: Region) -> list[SovereigntyFact]:
    """Return what once held of a region: withdrawn, or at its end; the newest first."""
    held = holding().filter(region=region).values("id")
    return list(region.facts.exclude(id__in=held).order_by("-stated_on", "-id"))


def ending_soon() -> QuerySet[SovereigntyFact]:
    """Return facts that end within a month and should be renewed, and those that have ended and were not withdrawn."""
    return SovereigntyFact.objects.filter(withdrawn_at=None, valid_until__lt=timezone.now().date() + SOON)


def _errors(statement: Statement) -> list[FieldError]:
    errors: list[FieldError] = []
    if statement.kind not in SovereigntyFact.Kind.values:
        known = ", ".join(SovereigntyFact.Kind.values)
        errors.append(FieldError("/kind", "choice", _("Choose one of: %(known)s.") % {"known": known}))
    if not 0 < len(statement.value.strip()) <= LONGEST_VALUE:
        errors.append(FieldError("/value", "length", _("Say it in 1 to 200 characters.")))
    errors += texts.errors("/value", statement.value.strip())
    if statement.stated_on > timezone.now().date():
        errors.append(FieldError("/stated_on", "future", _("A fact is stated today or was before.")))
    if statement.valid_until is not None and statement.valid_until < statement.stated_on:
        errors.append(FieldError("/valid_until", "past", _("It can't end before it was stated.")))
    return [*errors, *_document_errors(statement.document.strip())]


def _document_errors(document: str) -> list[FieldError]:
    """Take the address of a page that anybody can open: https, with a host, without a login in it."""
    detail = _("Give the https address of the document, without a login in it.")
    try:
        _IS_HTTPS(document)
        parts = urlsplit(document)
    except (ValidationError, ValueError):
        return [FieldError("/document", "url", detail)]
    if len(document) > LONGEST_DOCUMENT or parts.username or parts.password:
        return [FieldError("/document", "url", detail)]
    return []


def _reason_errors(reason: str) -> list[FieldError]:
    if not reason.strip():
        return [FieldError("/reason", "required", _("Say why; it is read in the audit log."))]
    return texts.errors("/reason", reason.strip())


def _require_operator(actor: Actor, region: Region) -> None:
    if "provider.operate" in access.provider_permissions(actor) and actor.scopes is None:
        return
    problem = permission_denied("provider.operate", region.slug)
    raise audit.denied(
        problem, actor=actor, action="region.edit", target_kind="region", target_id=region.id, target_name=region.slug
    )


def _record(actor: Actor, action: str, region: Region, changes: dict[str, list[str | None]], reason: str) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="region",
        target_id=region.id,
        target_name=region.slug,
        changes=changes,
        reason=reason.strip(),
    )
