"""Checks an order before anything is written: everything looked up, every wrong field named."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.clusters.placement import enabled_clusters, places
from portal.core import registry, specs, texts
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, invalid
from portal.core.offerings import Offering, Plan
from portal.core.specs import Spec
from portal.projects.scopes import allowed_families
from portal.resources import allowing, tags

NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LONGEST_DESCRIPTION = 500


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """What a customer writes; empty means the default."""

    name: str
    offering: str
    version: str = ""
    plan: str = ""
    region: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    quote: str = ""
    acknowledge: tuple[str, ...] = ()
    protected: bool = False
    ip_allow_list: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """A request with everything looked up and checked."""

    request: OrderRequest
    offering: Offering
    line: str
    release: str
    plan: Plan
    cluster: Cluster
    spec: Spec


def check(actor: Actor, request: OrderRequest, *, named: bool = True) -> Order:
    """Look everything up; raise one Problem that names every field that needs another look."""
    offering = _offering(actor, request.offering)
    errors: list[FieldError] = name_errors(request.name) if named else []
    version = offering.version(request.version or offering.default_version.line)
    plan = offering.plan(request.plan) if request.plan else offering.default_plan
    spec, spec_errors = specs.validate(offering.spec, request.spec)
    errors += description_errors(request.description)
    errors += spec_errors + tags.errors(request.tags) + allowing.errors(offering, request.ip_allow_list)
    if version is None:
        known = ", ".join(v.line for v in offering.versions)
        errors.append(FieldError("/version", "unknown_version", _("Choose one of: %(known)s.") % {"known": known}))
    elif named:
        errors += _warning_errors(offering, version[0].line, request.acknowledge)
    if plan is None:
        known = ", ".join(p.slug for p in offering.plans)
        errors.append(FieldError("/plan", "unknown_plan", _("Choose one of: %(known)s.") % {"known": known}))
    if errors or version is None or plan is None or spec is None:
        raise invalid(*errors)
    cluster = place(offering, version[1], plan, request.region)
    if wrong := [*specs.misplaced(spec, cluster.kind), *allowing.unsupported(offering, cluster, request.ip_allow_list)]:
        raise invalid(*wrong)
    return Order(request, offering, version[0].line, version[1], plan, cluster, spec)


def _offering(actor: Actor, slug: str) -> Offering:
    found, families = registry.offering(slug), allowed_families(actor)
    if found is None or (families is not None and found.family not in families):
        raise invalid(FieldError("/offering", "unknown_offering", _("There is no such offering. See the catalog.")))
    return found


def name_errors(name: str) -> list[FieldError]:
    """Say what is wrong with a service's name."""
    if NAME.fullmatch(name):
        return []
    detail = _("Use 1 to 63 lower-case letters, digits and hyphens; begin with a letter, end with a letter or digit.")
    return [FieldError("/name", "invalid_name", detail)]


def description_errors(description: str) -> list[FieldError]:
    """Say what is wrong with a service's description: one line of plain text."""
    if len(description) > LONGEST_DESCRIPTION:
        detail = _("A description has at most %(most)d characters.") % {"most": LONGEST_DESCRIPTION}
        return [FieldError("/description", "too_long", detail)]
    return texts.errors("/description", description)


def _warning_errors(offering: Offering, line: str, acknowledged: tuple[str, ...]) -> list[FieldError]:
    """Ask for the tick where upstream has ended the version."""
    version = next(v for v in offering.versions if v.line == line)
    if not version.ended(timezone.now().date()) or "end_of_support" in acknowledged:
        return []
    end: datetime.date | None = version.end_of_support
    detail = _(
        "Version %(line)s has been out of support since %(date)s. Add “end_of_support” here to order it all the same."
    )
    return [FieldError("/acknowledge", "end_of_support", detail % {"line": line, "date": end})]


def place(offering: Offering, release: str, plan: Plan, region: str) -> Cluster:
    """Choose the cluster. Raises Problem: the region is unknown or can't serve this, and which can."""
    clusters = enabled_clusters()
    here = [cluster for cluster in clusters if not region or cluster.region.slug == region]
    if not here:
        known = ", ".join(sorted({cluster.region.slug for cluster in clusters}))
        raise invalid(FieldError("/region", "unknown_region", _("Choose one of: %(known)s.") % {"known": known}))
    answers = places(offering, here, release=release, plan=plan)
    usable = [place.cluster for place in answers if place.usable]
    if not usable:
        raise _nowhere(offering, release, answers[0].reason, places(offering, clusters, release=release, plan=plan))
    if not region and len({cluster.region_id for cluster in usable}) > 1:
        known = ", ".join(sorted({cluster.region.slug for cluster in usable}))
        raise invalid(FieldError("/region", "required", _("Choose a region: %(known)s.") % {"known": known}))
    return usable[0]


def _nowhere(offering: Offering, release: str, reason: object, everywhere: list[Any]) -> Problem:
    alternatives = sorted({place.cluster.region.slug for place in everywhere if place.usable})
    detail = _("%(name)s %(release)s can't be ordered here: %(reason)s.") % {
        "name": offering.name,
        "release": release,
        "reason": reason,
    }
    return Problem(
        "out_of_stock", HTTPStatus.SERVICE_UNAVAILABLE, detail, retryable=True, extra={"alternatives": alternatives}
    )


def name_taken(name: str) -> Problem:
    detail = _("A service called %(name)s is already in this project. Choose another name.") % {"name": name}
    error = FieldError("/name", "name_taken", detail)
    return Problem("name_taken", HTTPStatus.CONFLICT, detail, errors=(error,))
