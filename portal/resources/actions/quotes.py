"""Quotes: what an order or a change would cost and do, before anybody commits to it."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import ids, specs
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, invalid
from portal.core.offerings import Plan
from portal.core.pricing import Price
from portal.core.restarts import Interruption
from portal.projects import access
from portal.projects.models import Project
from portal.resources import links, quotas
from portal.resources.actions.checking import Order, OrderRequest, check
from portal.resources.models import Quote, Resource
from portal.resources.parts import price_with_parts

VALID_FOR = datetime.timedelta(minutes=30)
KEPT_FOR = datetime.timedelta(days=1)  # beyond its end, so that who cites it late is told so
CHANGEABLE = ("plan", "spec", "running")
Downtime = tuple[Interruption, int | None]  # what happens to connections, and for about how many seconds; None: unknown


@transaction.atomic
def quote_order(actor: Actor, project: Project, request: OrderRequest) -> Quote:
    """Say what an order would cost. Raises Problem as the order itself would."""
    access.require(actor, project, "service.create", on=project.slug)
    checked = check(actor, request, named=bool(request.name))
    links.resolve(project, checked.spec)
    after = price_with_parts(checked.offering, checked.plan, checked.spec, region=checked.cluster.region.slug)
    takes = quotas.planned(checked.offering, checked.plan, checked.spec)
    body = _body(
        None,
        after,
        quota=_quota(project, takes, {}),
        downtime=(Interruption.NONE, 0),
        expected=checked.offering.pace(checked.cluster.kind).expected_seconds,
    )
    quote = _new(actor, project, None, fingerprint_of_order(checked), body)
    quote.save()
    return quote


@transaction.atomic
def quote_change(actor: Actor, resource: Resource, change: Mapping[str, Any]) -> Quote:
    """Say what a change of plan, spec or running would cost, and how long connections would drop."""
    quote = preview_change(actor, resource, change)
    quote.save()
    return quote


@transaction.atomic
def preview_change(actor: Actor, resource: Resource, change: Mapping[str, Any]) -> Quote:
    """Return the same quote without keeping it: pages show it to who only looks, and looking writes nothing."""
    access.require(actor, resource.project, "service.read", on=resource.name)
    unknown = [key for key in change if key not in CHANGEABLE]
    if unknown or not change:
        known = _("Give one or more of: %(known)s.") % {"known": ", ".join(CHANGEABLE)}
        raise invalid(*[FieldError(f"/change/{key}", "unknown_field", known) for key in unknown or [""]])
    plan = resource.offering.plan(str(change.get("plan", resource.plan_slug)))
    if plan is None:
        raise invalid(FieldError("/change/plan", "unknown_plan", _("There is no such plan.")))
    before = resource.load_spec()
    asked = change.get("spec", {})
    if not isinstance(asked, Mapping):
        raise invalid(FieldError("/change/spec", "invalid", _("Give an object of settings.")))
    spec, errors = specs.validate(resource.offering.spec, {**customer_fields(before), **asked}, at="/change/spec")
    if spec is None or (errors := specs.refused_changes(before, spec, at="/change/spec")):
        raise invalid(*errors)
    if errors := specs.misplaced(spec, resource.cluster.kind, at="/change/spec"):
        raise invalid(*errors)
    links.resolve(resource.project, spec, source=resource, at="/change/spec")
    running = change.get("running", resource.running)
    if not isinstance(running, bool):
        raise invalid(FieldError("/change/running", "invalid", _("Write true or false.")))
    region = resource.region.slug
    now = price_with_parts(resource.offering, resource.plan, before, region=region, running=resource.running)
    after = price_with_parts(resource.offering, plan, spec, region=region, running=running)
    quota = _quota(resource.project, quotas.planned(resource.offering, plan, spec), quotas.taken_by(resource))
    body = _body(
        now,
        after,
        quota=quota,
        downtime=_downtime(resource, plan, spec, running=running),
        expected=resource.offering.pace(resource.cluster.kind).expected_seconds,
    )
    return _new(
        actor,
        resource.project,
        resource,
        fingerprint([str(resource.id), plan.slug, spec.model_dump(mode="json")]),
        body,
    )


def customer_fields(spec: specs.Spec) -> dict[str, Any]:
    """Return a spec without what only the platform sets."""
    return specs.asked(spec)


def _quota(project: Project, after: quotas.Amounts, before: quotas.Amounts) -> dict[str, Any]:
    """Say what it takes of each limit, and of what is not limited, with all that comes along."""
    return quotas.as_json(quotas.effects(project, after, before, unlimited=True))


def _downtime(resource: Resource, plan: Plan, spec: specs.Spec, *, running: bool) -> Downtime:
    """Say what a change does to connections, by how the engine restarts where the service is."""
    before = resource.load_spec()
    if not resource.running:
        return Interruption.NONE, 0
    if not running:
        return Interruption.STOP, None
    if plan.slug == resource.plan_slug and spec == before:
        return Interruption.NONE, 0
    return restart_of(resource, plan, spec)


def restart_of(resource: Resource, plan: Plan, spec: specs.Spec) -> Downtime:
    """Say what a restart does to connections; another node can only take over if there is one before and after."""
    offering = resource.offering
    restart = offering.restart(resource.cluster.kind)
    nodes = min(offering.nodes(resource.plan, resource.load_spec()), offering.nodes(plan, spec))
    return restart.interruption(nodes), restart.seconds


def interruption_of(quote: Quote) -> Interruption:
    """Return what a quote says of connections; one from before an upgrade of the portal has its seconds alone."""
    stored = quote.body.get("interruption")
    return Interruption(stored or ("restart" if quote.body["downtime_seconds"] else "none"))


def _body(
    before: Price | None, after: Price, *, quota: dict[str, Any], downtime: Downtime, expected: int
) -> dict[str, Any]:
    delta = after.hourly - (before.hourly if before else 0)
    return {
        "before": before.as_json() if before else None,
        "after": after.as_json(),
        "delta": {"currency": after.currency, "hourly": f"{delta:.6f}", "monthly_estimate": f"{delta * 730:.2f}"},
        "quota": quota,
        "interruption": downtime[0],
        "downtime_seconds": downtime[1],
        "expected_seconds": expected,
    }


def forget_old() -> int:
    """Delete quotes that ended a day ago, which nothing can cite any more; return how many. Called by a task."""
    deleted, _by_model = Quote.objects.filter(expires_at__lt=timezone.now() - KEPT_FOR).delete()
    return deleted


def _new(actor: Actor, project: Project, resource: Resource | None, mark: str, body: dict[str, Any]) -> Quote:
    return Quote(
        project=project,
        resource=resource,
        fingerprint=mark,
        body=body,
        expires_at=timezone.now() + VALID_FOR,
        created_by=actor.id,
    )


def fingerprint_of_order(checked: Order) -> str:
    """Return what a quote and its order must have in common."""
    spec = checked.spec.model_dump(mode="json")
    return fingerprint([checked.offering.slug, checked.release, checked.plan.slug, checked.cluster.region.slug, spec])


def fingerprint(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


@transaction.atomic
def redeem(actor: Actor, project: Project, request: OrderRequest, checked: Order) -> dict[str, Any] | None:
    """Return the cited quote's content. Raises Problem where it has ended or is for something else."""
    if not request.quote:
        return None
    key = ids.decode("quo", request.quote)
    quote = Quote.objects.filter(id=key, project=project).first() if key else None
    if quote is None or quote.fingerprint != fingerprint_of_order(checked):
        detail = _("This quote is not for this order. Ask for a new one, or leave it out.")
        raise invalid(FieldError("/quote", "quote_mismatch", detail))
    if quote.expires_at < timezone.now():
        detail = _("This quote ended at %(time)s UTC. Ask for a new one.") % {"time": f"{quote.expires_at:%H:%M}"}
        raise Problem(
            "quote_expired", HTTPStatus.CONFLICT, detail, errors=(FieldError("/quote", "quote_expired", detail),)
        )
    return {"id": quote.public_id, **quote.body}
