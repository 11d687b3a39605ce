"""Keeps the rows of what a service brings along: made with it, changed with it, and refused to be changed alone.

Stopping and leaving is the engine's (``engine.parts``): a part serves until its owner needs it no more.
"""

from django.utils.translation import gettext as _

from portal.clusters.models import Cluster
from portal.clusters.placement import places
from portal.core.actors import Actor
from portal.core.errors import FieldError, conflict, invalid
from portal.core.offerings import Offering, Plan
from portal.core.specs import Spec
from portal.resources import links
from portal.resources.actions import operations
from portal.resources.actions.beginnings import insert, make_first_children
from portal.resources.models import Link, Resource
from portal.resources.parts import PlannedPart, planned, with_parts_of_parts
from portal.resources.querysets import ResourceQuerySet

CHANGED = ("plan_slug", "spec", "spec_version", "running", "deletion_requested_at", "deleted_at", "purge_after")


def refuse_unservable(cluster: Cluster, offering: Offering, plan: Plan, spec: Spec) -> None:
    """Raise a Problem where the service could run in a place and something that it brings along could not."""
    for part in with_parts_of_parts(offering, plan, spec):
        reason = places(part.offering, [cluster], release=part.release, plan=part.plan)[0].reason
        if reason:
            words = {"part": part.offering.name, "reason": reason}
            detail = _("It brings along %(part)s, which can't be had here: %(reason)s.") % words
            raise invalid(FieldError("/offering", "unavailable", detail))


def refuse_alone(resource: Resource) -> None:
    """Raise a Problem where a service is part of another one, whose plan, run and end are its own."""
    if resource.owner is None:
        return
    detail = _("%(name)s is part of %(owner)s and goes with it. Change %(owner)s instead.") % {
        "name": resource.name,
        "owner": resource.owner.name,
    }
    raise conflict("part_of_service", detail, resource_id=resource.public_id, owner=resource.owner.public_id)


def save(actor: Actor, owner: Resource, targets: dict[str, Resource]) -> None:
    """Make parts and links match what the owner's plan and spec ask for; the owner is locked or new."""
    there = {part.role: part for part in _parts_of(owner).order_by("id")}
    wanted = {part.role: part for part in planned(owner.offering, owner.plan, owner.load_spec())}
    for role, part in wanted.items():
        there[role] = _change(actor, there[role], owner, part) if role in there else _make(actor, owner, part)
    linked = set(Link.objects.filter(source=owner).values_list("role", flat=True))
    for role in linked & there.keys() - wanted.keys():  # the engine lets it go once the owner does without it
        operations.note(actor, there[role], "service.release_part")
    links.save(owner, {**targets, **{role: there[role] for role in wanted}})


def _parts_of(owner: Resource) -> ResourceQuerySet:
    return Resource.objects.filter(owner=owner, purged_at=None).select_for_update(no_key=True)


def _make(actor: Actor, owner: Resource, part: PlannedPart) -> Resource:
    row = Resource(
        owner=owner,
        role=part.role,
        project=owner.project,
        region=owner.region,
        cluster=owner.cluster,
        offering_slug=part.offering.slug,
        version=part.line,
        release=part.release,
        name=f"{owner.name[: 62 - len(part.role)]}-{part.role}",
        plan_slug=part.plan.slug,
        spec=part.spec.model_dump(mode="json"),
        spec_version=part.offering.spec_version,
        created_by=actor.id,
    )
    insert(row)
    make_first_children(row, actor)
    operations.note(actor, row, "service.create_part", changes={"owner": [None, owner.public_id]})
    save(actor, row, {})
    return row


def _change(actor: Actor, row: Resource, owner: Resource, part: PlannedPart) -> Resource:
    """Ask of a part what its owner asks for now; back from the bin where it was on its way."""
    before = {name: getattr(row, name) for name in CHANGED}
    row.plan_slug, row.running = part.plan.slug, owner.running
    row.spec, row.spec_version = part.spec.model_dump(mode="json"), part.offering.spec_version
    row.deletion_requested_at = row.deleted_at = row.purge_after = None
    row.deletion_policy = ""
    diff = {name: [old, new] for name, old in before.items() if (new := getattr(row, name)) != old}
    if diff:
        operations.save_wish(row, *CHANGED, "deletion_policy")
        told = {name: pair for name, pair in diff.items() if name in ("plan_slug", "spec", "running")}
        operations.note(actor, row, "service.change_part", changes=told)
        save(actor, row, links.targets_of(row))
    return row
