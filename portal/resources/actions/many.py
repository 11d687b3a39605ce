"""Making, changing and taking away many parts of a batch kind at once: all of them or none, one operation for all."""

import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from portal.core import specs
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, invalid, not_found
from portal.core.offerings import ChildKind
from portal.resources.actions import operations
from portal.resources.actions.children import name_errors, prepared
from portal.resources.actions.operations import Many
from portal.resources.actions.quotes import customer_fields
from portal.resources.engine import batches
from portal.resources.models import Child, Operation, Resource

AT_MOST = 1000  # of each sort in one request
ERRORS_TOLD = 100


@dataclass(frozen=True, slots=True)
class Wish:
    """One part to be there, with the settings that are not as by default, or are to change."""

    name: str
    spec: Mapping[str, Any]


@transaction.atomic
def change_many(
    actor: Actor, resource: Resource, kind: ChildKind, *, put: Sequence[Wish] = (), delete: Sequence[str] = ()
) -> Operation:
    """Make or change each part of ``put`` and take away those named in ``delete``; both may be asked for again.

    Raises Problem: 404 where the kind is not one of many, 422 naming each wrong entry by its place, 403 past the limit.
    """
    if not kind.is_batch:
        raise not_found()
    for verb in ("create", *(["update"] if put else []), *(["delete"] if delete else [])):
        resource = prepared(actor, resource, kind, verb)
    _refuse_size(put, delete)
    there = _there(resource, kind, [wish.name for wish in put] + list(delete))
    checked, errors = _checked(kind, put, there)
    errors += _repeated(put, delete) + _undeletable(kind, delete, there)
    if errors:
        raise invalid(*errors[:ERRORS_TOLD])
    going = sum(there[name].deletion_requested_at is None for name in set(delete))
    _refuse_too_many(resource, kind, sum(name not in there for name in checked) - going)
    revision = batches.ask(resource, kind)
    _save(actor, resource, kind, revision, checked, there)
    _mark_deleted(resource, kind, revision, delete)
    operations.touch(resource)
    return operations.begin(
        actor,
        resource,
        f"change_{kind.slug}",
        lane=f"{kind.slug}:{uuid.uuid4()}",
        many=Many(kind.slug, revision),
        deadline_seconds=kind.deadline_seconds,
        changes={"put": [None, len(put)], "deleted": [None, len(delete)]},
    )


def _refuse_size(put: Sequence[Wish], delete: Sequence[str]) -> None:
    if not put and not delete:
        raise invalid(FieldError("/put", "required", _("Give parts to make or change, or names to delete.")))
    too_long = [field for field, given in (("put", put), ("delete", delete)) if len(given) > AT_MOST]
    if too_long:
        detail = _("At most %(limit)d in one request. Send the rest in a second one.") % {"limit": AT_MOST}
        raise invalid(*(FieldError(f"/{field}", "too_long", detail) for field in too_long))


def _there(resource: Resource, kind: ChildKind, names: list[str]) -> dict[str, Child]:
    """Return the named parts that there are, held until the transaction ends."""
    rows = Child.objects.filter(resource=resource, kind=kind.slug, name__in=names)
    return {child.name: child for child in rows.order_by("id").select_for_update()}


def _checked(
    kind: ChildKind, put: Sequence[Wish], there: Mapping[str, Child]
) -> tuple[dict[str, dict[str, Any]], list[FieldError]]:
    """Return the full settings by name, and what is wrong where."""
    found: dict[str, dict[str, Any]] = {}
    errors: list[FieldError] = []
    for place, wish in enumerate(put):
        at = f"/put/{place}"
        wrong = [FieldError(at + error.pointer, error.code, error.detail) for error in name_errors(kind, wish.name)]
        spec, more = _spec_of(kind, wish, there.get(wish.name), at)
        errors += wrong + more
        if spec is not None:
            found[wish.name] = spec
    return found, errors


def _spec_of(
    kind: ChildKind, wish: Wish, child: Child | None, at: str
) -> tuple[dict[str, Any] | None, list[FieldError]]:
    """Return what a part is to be: as asked, and as it was in what is not said."""
    if child is not None and child.deletion_requested_at is not None:
        detail = _("%(name)s is still being deleted. Try again in a moment.") % {"name": child.name}
        return None, [FieldError(f"{at}/name", "name_taken", detail)]
    before = specs.load(kind.spec, child.spec) if child else None
    known = customer_fields(before) if before else {}
    spec, errors = specs.validate(kind.spec, {**known, **wish.spec}, at=f"{at}/spec")
    if spec is not None and before is not None:
        refused = specs.refused_changes(before, spec)
        errors += [FieldError(f"{at}{error.pointer}", error.code, error.detail) for error in refused]
    return (spec.model_dump(mode="json") if spec is not None else None), errors


def _repeated(put: Sequence[Wish], delete: Sequence[str]) -> list[FieldError]:
    """Say which names are given twice, or both to be there and to go."""
    times = Counter([*(wish.name for wish in put), *set(delete)])
    detail = _("This name is given twice.")
    return [
        FieldError(f"/put/{place}/name", "repeated", detail) for place, wish in enumerate(put) if times[wish.name] > 1
    ]


def _undeletable(kind: ChildKind, names: Sequence[str], there: Mapping[str, Child]) -> list[FieldError]:
    errors = []
    for place, name in enumerate(names):
        if name not in there:
            errors.append(FieldError(f"/delete/{place}", "unknown_name", _("There is none called that.")))
        elif kind.protected and (reason := kind.protected(specs.load(kind.spec, there[name].spec))):
            errors.append(FieldError(f"/delete/{place}", "resource_protected", str(reason)))
    return errors


def _refuse_too_many(resource: Resource, kind: ChildKind, added: int) -> None:
    current = Child.objects.filter(resource=resource, kind=kind.slug).kept().count()
    if added <= 0 or current + added <= kind.limit:
        return
    detail = _("A service has at most %(limit)d of these; it has %(current)d.") % {
        "limit": kind.limit,
        "current": current,
    }
    extra = {"resource": kind.slug, "quota": kind.limit, "current": current, "requested": added}
    raise Problem("quota_exceeded", HTTPStatus.FORBIDDEN, detail, extra=extra)


def _save(
    actor: Actor,
    resource: Resource,
    kind: ChildKind,
    revision: int,
    wanted: Mapping[str, dict[str, Any]],
    there: Mapping[str, Child],
) -> None:
    """Write the rows; a part that is there and asked for as it is stays as it is."""
    Child.objects.bulk_create(
        Child(resource=resource, kind=kind.slug, name=name, spec=spec, generation=revision, created_by=actor.id)
        for name, spec in wanted.items()
        if name not in there
    )
    changed = list(_changed(wanted, there, revision))
    Child.objects.bulk_update(changed, ["spec", "generation", "state"], batch_size=AT_MOST)


def _changed(wanted: Mapping[str, dict[str, Any]], there: Mapping[str, Child], revision: int) -> Iterator[Child]:
    for name, child in there.items():
        if name in wanted and child.spec != wanted[name]:
            child.spec, child.generation, child.state = wanted[name], revision, "pending"
            yield child


def _mark_deleted(resource: Resource, kind: ChildKind, revision: int, names: Sequence[str]) -> None:
    rows = Child.objects.filter(resource=resource, kind=kind.slug, name__in=names, deletion_requested_at=None)
    rows.update(deletion_requested_at=timezone.now(), state="pending", generation=revision)
