"""How much of something an organization or a project may have: limits, requests for more, and an operator's answers.

What is in use is counted by a higher layer (``settings.USAGE``); ``resources.admission`` holds orders against both.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import IntegerField, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.accounts.actors import account_of
from portal.audit import actions as audit
from portal.core import ids, registry, texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, not_found, permission_denied
from portal.projects import access, happenings
from portal.projects.models import Organization, Project, Quota, QuotaRequest
from portal.projects.scopes import narrowed

SERVICES = "services"
NAMES: Mapping[str, Promise] = {
    SERVICES: gettext_lazy("Services"),
    "vcpu": gettext_lazy("vCPU"),
    "memory_mib": gettext_lazy("Memory (MiB)"),
    "storage_gib": gettext_lazy("Storage (GiB)"),
}
DEFAULTS: Mapping[str, int] = {SERVICES: 200}  # of a project; an organization has no limit until it is given one
MOST = 1_000_000_000
LONGEST_REASON = 1000


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits in force: those that bind an organization as a whole, and those of one project of it."""

    organization: Mapping[str, int]
    project: Mapping[str, int]


def resources() -> dict[str, str]:
    """Return all that can be limited, with its name: ``services``, ``vcpu`` …, ``services:FAMILY`` for each family."""
    families = {
        f"{SERVICES}:{label}": _("Services: %(family)s") % {"family": name}
        for label, name in registry.families().items()
    }
    return {slug: str(name) for slug, name in NAMES.items()} | families


def limits_of(organization_id: uuid.UUID, project_id: uuid.UUID | None = None) -> Limits:
    """Return what binds an organization and, where one is named, a project of it: a row's limit, else ``DEFAULTS``."""
    rows = Quota.objects.filter(Q(project=None) | Q(project=project_id), organization=organization_id)
    found = list(rows.values_list("project_id", "resource", "limit"))
    own = {resource: limit for project, resource, limit in found if project is None}
    inner = {resource: limit for project, resource, limit in found if project is not None}
    return Limits(own, {**DEFAULTS, **inner} if project_id else {})


def with_services_limit(projects: QuerySet[Project]) -> QuerySet[Project]:
    """Add ``services_limit`` to each project, for lists."""
    rows = Quota.objects.filter(project=OuterRef("pk"), resource=SERVICES).values("limit")
    limit = Coalesce(Subquery(rows), Value(DEFAULTS[SERVICES]), output_field=IntegerField())
    return projects.annotate(services_limit=limit)


def services_limit(project: Project) -> int:
    """Return how many services a project may have."""
    known = getattr(project, "services_limit", None)
    return known if known is not None else limits_of(project.organization_id, project.pk).project[SERVICES]


def requests_of(organization: Organization, project: Project | None) -> QuerySet[QuotaRequest]:
    """Return the requests of an organization as a whole, or of one project, newest first."""
    rows = QuotaRequest.objects.filter(organization=organization, project=project)
    return rows.select_related("organization", "project", "requested_by")


def access_request(organization: Organization, project: Project | None, public_id: str) -> QuotaRequest:
    """Return a request made at this place. Raises Problem ``not_found``."""
    key = ids.decode("qreq", public_id)
    found = requests_of(organization, project).filter(pk=key).first() if key else None
    if found is None:
        raise not_found()
    return found


def request_more(
    actor: Actor, *, organization: Organization, project: Project | None, resource: str, limit: int, reason: str
) -> QuotaRequest:
    """Ask for a higher limit of an organization (``project`` None) or of one project of it.

    Raises Problem: ``permission_denied``, ``organization_closed``, ``invalid_arguments``, ``request_open`` where one
    for this is unanswered.
    """
    _require(actor, organization, project)
    access.require_open(organization)
    now = effective(organization, project).get(resource)
    _check(resource, limit, reason)
    if now is None:
        raise invalid(FieldError("/resource", "unlimited", _("There is no limit on this here; nothing to ask for.")))
    if limit <= now:
        detail = _("Ask for more than today's limit of %(limit)d.") % {"limit": now}
        raise invalid(FieldError("/limit", "not_more", detail))
    try:
        with transaction.atomic():
            made = QuotaRequest.objects.create(
                organization=organization,
                project=project,
                resource=resource,
                limit=limit,
                reason=reason.strip(),
                requested_by_id=actor.id if account_of(actor) == actor.id else None,
            )
            _record(actor, "quota.request", organization, project, {resource: [now, limit]}, reason)
            happenings.quota_requested(made)
    except IntegrityError as error:
        raise conflict("request_open", _("A request for this is open. Withdraw it to make another one.")) from error
    return made


def withdraw(actor: Actor, *, request: QuotaRequest) -> None:
    """Take a request back. Raises Problem: ``permission_denied``, ``request_answered`` for one that is not open."""
    _require(actor, request.organization, request.project)
    with transaction.atomic():
        _end(request, QuotaRequest.State.WITHDRAWN)
        changes = {request.resource: [request.limit, None]}
        _record(actor, "quota.withdraw", request.organization, request.project, changes)


def answer_request(
    actor: Actor, *, request: QuotaRequest, granted: bool, limit: int | None = None, answer: str = ""
) -> QuotaRequest:
    """Grant a request, with what was asked for or another ``limit``, or refuse it; an operator's act.

    Raises Problem: ``permission_denied``, ``invalid_arguments`` (a refusal says why), ``request_answered``.
    """
    _require_operator(actor, "quota.answer", request.resource)
    given = request.limit if limit is None else limit
    _check(request.resource, given, answer if not granted else answer or "-", reason_at="/answer")
    with transaction.atomic():
        state = QuotaRequest.State.GRANTED if granted else QuotaRequest.State.REFUSED
        _end(request, state, answer=answer.strip(), answered_by_id=actor.id)
        changes: dict[str, Any] = {request.resource: [request.limit, given if granted else None]}
        _record(actor, "quota.answer", request.organization, request.project, changes, answer)
        happenings.quota_answered(request, granted=granted, limit=given)
        if granted:
            reason = answer or _("As asked for.")
            _set(actor, request.organization, request.project, request.resource, given, reason)
    request.refresh_from_db()
    return request


def set_quota(
    actor: Actor, *, organization: Organization, project: Project | None, resource: str, limit: int | None, reason: str
) -> None:
    """Limit an organization (``project`` None) or a project of it; None gives back the default. An operator's act.

    A limit below what is in use takes nothing away: it refuses what would add to it. Raises Problem:
    ``permission_denied``, ``invalid_arguments``.
    """
    _require_operator(actor, "quota.set", resource)
    _check(resource, 0 if limit is None else limit, reason)
    if project is not None and project.organization_id != organization.pk:
        raise not_found()
    with transaction.atomic():
        _set(actor, organization, project, resource, limit, reason)


def effective(organization: Organization, project: Project | None) -> Mapping[str, int]:
    """Return the limits of an organization as a whole, or of one project alone."""
    limits = limits_of(organization.pk, project.pk if project else None)
    return limits.project if project else limits.organization


def _set(
    actor: Actor, organization: Organization, project: Project | None, resource: str, limit: int | None, reason: str
) -> None:
    """Write the row; orders hold the same lock while they count."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    before = effective(organization, project).get(resource)
    rows = Quota.objects.filter(organization=organization, project=project, resource=resource)
    if limit is None:
        rows.delete()
    elif not rows.update(limit=limit, changed_at=timezone.now()):
        Quota.objects.create(organization=organization, project=project, resource=resource, limit=limit)
    after = effective(organization, project).get(resource)
    _record(actor, "quota.set", organization, project, {resource: [before, after]}, reason)


def _end(request: QuotaRequest, state: QuotaRequest.State, **more: Any) -> None:
    """End an open request: of two who answer at once, one is told that it was answered."""
    rows = QuotaRequest.objects.filter(pk=request.pk, state=QuotaRequest.State.OPEN)
    if not rows.update(state=state, answered_at=timezone.now(), **more):
        raise conflict("request_answered", _("This request was answered or withdrawn already."))


def _check(resource: str, limit: int, reason: str, *, reason_at: str = "/reason") -> None:
    known, errors = resources(), texts.errors(reason_at, reason, lines=True)
    if resource not in known:
        detail = _("Choose one of: %(known)s.") % {"known": ", ".join(known)}
        errors.append(FieldError("/resource", "choice", detail))
    if not 0 <= limit <= MOST:
        detail = _("Give a whole number from 0 to %(most)d.") % {"most": MOST}
        errors.append(FieldError("/limit", "out_of_range", detail))
    if not 0 < len(reason.strip()) <= LONGEST_REASON:
        errors.append(FieldError(reason_at, "length", _("Say why, in at most 1,000 characters.")))
    if errors:
        raise invalid(*errors)


def _require(actor: Actor, organization: Organization, project: Project | None) -> None:
    if project is not None:
        access.require(actor, project, "quota.request", on=project.slug)
    else:
        access.require_in_organization(actor, organization, "quota.request", on=organization.slug)


def _require_operator(actor: Actor, action: str, resource: str) -> None:
    if "provider.operate" not in narrowed(actor, access.provider_permissions(actor)):
        audit.record(actor=actor, action=action, target_kind="quota", target_name=resource, outcome="denied")
        raise permission_denied(action, resource)


def _record(
    actor: Actor,
    action: str,
    organization: Organization,
    project: Project | None,
    changes: dict[str, Any],
    reason: str = "",
) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_kind="project" if project else "organization",
        target_id=project.pk if project else organization.pk,
        target_name=project.slug if project else organization.slug,
        organization_id=organization.pk,
        project_id=project.pk if project else None,
        changes=changes,
        reason=reason,
    )
