"""Verbs on a whole service: resize, stop, start, restart, upgrade."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from portal.clusters.placement import places
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid, not_found
from portal.core.offerings import Verb
from portal.projects import access
from portal.resources import admission, links
from portal.resources.actions import operations, parts
from portal.resources.models import Operation, Resource

OWNERS_TO_SAY = frozenset({"resize", "stop", "start", "upgrade"})


def prepared(actor: Actor, resource: Resource, slug: str) -> tuple[Resource, Verb]:
    """Return the locked service and the verb; refuse who may not and what the offering does not have."""
    verb = resource.offering.verb(slug)
    if verb is None:
        raise not_found()
    access.require(actor, resource.project, verb.permission, on=resource.name)
    resource = operations.locked(resource)
    operations.require_living(resource)
    if slug in OWNERS_TO_SAY:
        parts.refuse_alone(resource)
    if verb.needs_running and not resource.running:
        detail = _("%(name)s is stopped. Start it first.") % {"name": resource.name}
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)
    return resource, verb


def _begin(
    actor: Actor, resource: Resource, verb: Verb, *, supersede: bool = False, changes: dict[str, Any] | None = None
) -> Operation:
    return operations.begin(
        actor,
        resource,
        verb.slug,
        deadline_seconds=verb.deadline_seconds,
        supersede=supersede or operations.may_supersede(resource),
        changes=changes,
    )


@transaction.atomic
def resize(actor: Actor, resource: Resource, *, plan: str, supersede: bool = False) -> Operation:
    """Change the plan. Raises Problem for an unknown, unchanged or unservable plan, and for too small a disk."""
    resource, verb = prepared(actor, resource, "resize")
    wanted, before = resource.offering.plan(plan), resource.plan_slug
    if wanted is None:
        known = ", ".join(p.slug for p in resource.offering.plans)
        raise invalid(FieldError("/plan", "unknown_plan", _("Choose one of: %(known)s.") % {"known": known}))
    if wanted.slug == before:
        raise invalid(FieldError("/plan", "unchanged", _("The service already has this plan.")))
    reason = places(resource.offering, [resource.cluster], release=resource.release, plan=wanted)[0].reason
    if reason:
        raise invalid(FieldError("/plan", "unavailable", _("Not in this region: %(reason)s.") % {"reason": reason}))
    _refuse_smaller_disk(resource, wanted.disk_gib)
    parts.refuse_unservable(resource.cluster, resource.offering, wanted, resource.load_spec())
    admission.admit(
        admission.Request(
            actor, resource.project, resource.offering, wanted, resource.cluster, resource.load_spec(), resource
        )
    )
    resource.plan_slug = wanted.slug
    operations.save_wish(resource, "plan_slug")
    parts.save(actor, resource, links.targets_of(resource))
    operations.record_change(resource)
    return _begin(actor, resource, verb, supersede=supersede, changes={"plan": [before, wanted.slug]})


def _refuse_smaller_disk(resource: Resource, disk_gib: int) -> None:
    """Disks never shrink: the data might not fit."""
    asked = getattr(resource.load_spec(), "disk_gib", None)
    if asked is None and disk_gib < resource.plan.disk_gib:
        detail = _("This plan has a %(new)d GiB disk and the service has %(old)d GiB. Set disk_gib to %(old)d first.")
        numbers = {"new": disk_gib, "old": resource.plan.disk_gib}
        raise invalid(FieldError("/plan", "smaller_disk", detail % numbers))


@transaction.atomic
def stop(actor: Actor, resource: Resource, *, supersede: bool = False) -> Operation:
    """Stop the service: data, address and credentials stay, compute is no longer billed."""
    resource, verb = prepared(actor, resource, "stop")
    return _run(actor, resource, verb, running=False, supersede=supersede)


@transaction.atomic
def start(actor: Actor, resource: Resource, *, supersede: bool = False) -> Operation:
    """Start a stopped service."""
    resource, verb = prepared(actor, resource, "start")
    if resource.running:
        detail = _("%(name)s is not stopped.") % {"name": resource.name}
        raise conflict("transient_state", detail, resource_id=resource.public_id, current_state=resource.state)
    return _run(actor, resource, verb, running=True, supersede=supersede)


def _run(actor: Actor, resource: Resource, verb: Verb, *, running: bool, supersede: bool) -> Operation:
    if running:
        spec = resource.load_spec()
        admission.admit(
            admission.Request(
                actor, resource.project, resource.offering, resource.plan, resource.cluster, spec, resource
            )
        )
    resource.running = running
    operations.save_wish(resource, "running")
    if running:
        parts.save(actor, resource, links.targets_of(resource))
    operations.record_change(resource)
    return _begin(actor, resource, verb, supersede=supersede, changes={"running": [not running, running]})


@transaction.atomic
def restart(actor: Actor, resource: Resource, *, supersede: bool = False) -> Operation:
    """Stop and start the engine once."""
    resource, verb = prepared(actor, resource, "restart")
    resource.restarts += 1
    operations.save_wish(resource, "restarts")
    return _begin(actor, resource, verb, supersede=supersede)


@transaction.atomic
def upgrade(actor: Actor, resource: Resource, *, version: str, supersede: bool = False) -> Operation:
    """Move to a newer release of the same line. Raises Problem for anything older, other or unknown."""
    resource, verb = prepared(actor, resource, "upgrade")
    before = resource.release
    release = _newer_release(resource, version)
    reason = places(resource.offering, [resource.cluster], release=release, plan=resource.plan)[0].reason
    if reason:
        raise invalid(FieldError("/version", "unavailable", _("Not in this region: %(reason)s.") % {"reason": reason}))
    resource.release = release
    operations.save_wish(resource, "release")
    return _begin(actor, resource, verb, supersede=supersede, changes={"release": [before, release]})


def _newer_release(resource: Resource, text: str) -> str:
    found = resource.offering.version(text)
    newer = newer_releases(resource)
    if found is None or found[0].line != resource.version or found[1] not in newer:
        choice = ", ".join(newer) or _("none; this is the newest")
        detail = _("From %(release)s you can go to: %(choice)s.") % {"release": resource.release, "choice": choice}
        raise invalid(FieldError("/version", "not_an_upgrade", detail))
    return found[1]


def newer_releases(resource: Resource) -> list[str]:
    """Return the builds of the same line that are newer than the service's, newest first."""
    found = resource.offering.version(resource.version)
    releases = found[0].releases if found else ()
    return list(releases[: releases.index(resource.release)]) if resource.release in releases else list(releases)
