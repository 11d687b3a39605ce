"""Changing what is written on a service: name, description, tags, protection, who may reach it, settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.core import specs
from portal.core.actors import Actor
from portal.core.errors import FieldError, Problem, invalid
from portal.projects import access
from portal.resources import admission, allowing, links, maintenance, tags
from portal.resources.actions import operations, parts
from portal.resources.actions.checking import description_errors, name_errors, name_taken
from portal.resources.actions.quotes import customer_fields
from portal.resources.models import Operation, Resource

EDITED = ("name", "description", "tags", "protected", "ip_allow_list", "maintenance", "spec")


@dataclass(frozen=True, slots=True)
class Edit:
    """The fields to change; None leaves one as it is. ``spec`` holds only the settings to change."""

    name: str | None = None
    description: str | None = None
    tags: Mapping[str, Any] | None = None
    protected: bool | None = None
    ip_allow_list: Sequence[Mapping[str, Any]] | None = None
    maintenance: Mapping[str, Any] | None = None
    spec: Mapping[str, Any] | None = None


@transaction.atomic
def edit(actor: Actor, resource: Resource, *, changes: Edit, if_match: str | None = None) -> Operation | None:
    """Change a service; return an operation where the engine has to act on it.

    Raises Problem: 412 where ``if_match`` is not today's etag, 422 naming each wrong field, 409 for a taken name.
    """
    access.require(actor, resource.project, "service.operate", on=resource.name)
    resource = operations.locked(resource)
    _require_etag(resource, if_match)
    operations.require_living(resource)
    parts.refuse_alone(resource)
    before = {name: getattr(resource, name) for name in EDITED}
    spec_changed = _lay_over(actor, resource, changes)
    diff = {name: [old, new] for name, old in before.items() if (new := getattr(resource, name)) != old}
    if not diff:
        return None
    is_for_engine = spec_changed or "ip_allow_list" in diff
    _save(resource, tuple(diff), is_for_engine)
    if spec_changed or "tags" in diff:
        operations.record_change(resource)
    if is_for_engine:
        repair = operations.may_supersede(resource)
        return operations.begin(actor, resource, "update", supersede=repair, changes=diff)
    operations.note(actor, resource, "service.edit", changes=diff)
    return None


def _require_etag(resource: Resource, if_match: str | None) -> None:
    if if_match is None or if_match.strip() in ("*", resource.etag):
        return
    detail = _("%(name)s has been changed meanwhile. Read it again and repeat your change.") % {"name": resource.name}
    extra = {"precondition": "If-Match", "help": f"etag is {resource.etag}"}
    raise Problem("precondition_failed", HTTPStatus.PRECONDITION_FAILED, detail, extra=extra)


def _lay_over(actor: Actor, resource: Resource, changes: Edit) -> bool:
    """Check and lay the changes over the row; return whether the spec changed."""
    errors = name_errors(changes.name) if changes.name is not None else []
    errors += description_errors(changes.description) if changes.description is not None else []
    errors += tags.errors(changes.tags) if changes.tags is not None else []
    errors += allowing.errors(resource.offering, changes.ip_allow_list or ())
    errors += allowing.unsupported(resource.offering, resource.cluster, changes.ip_allow_list or ())
    window, window_errors = maintenance.checked(resource.maintenance, changes.maintenance or {})
    errors += window_errors
    before = resource.load_spec()
    after = before
    spec_errors: list[FieldError] = []
    if changes.spec is not None:
        merged = {**customer_fields(before), **changes.spec}
        checked, spec_errors = specs.validate(type(before), merged)
        after = _with_hidden(before, checked) if checked else before
        spec_errors = spec_errors or specs.refused_changes(before, after)
        spec_errors = spec_errors or specs.misplaced(after, resource.cluster.kind)
    if errors + spec_errors:
        raise invalid(*errors, *spec_errors)
    resource.name = changes.name if changes.name is not None else resource.name
    resource.description = changes.description if changes.description is not None else resource.description
    resource.tags = dict(changes.tags) if changes.tags is not None else resource.tags
    resource.protected = changes.protected if changes.protected is not None else resource.protected
    if changes.ip_allow_list is not None:
        resource.ip_allow_list = allowing.checked(resource.offering, changes.ip_allow_list)
    resource.maintenance = window
    if after == before:
        return False
    parts.refuse_unservable(resource.cluster, resource.offering, resource.plan, after)
    targets = links.resolve(resource.project, after, source=resource)
    _admit(actor, resource, after)
    resource.spec, resource.spec_version = after.model_dump(mode="json"), resource.offering.spec_version
    parts.save(actor, resource, targets)
    return True


def _with_hidden(before: specs.Spec, after: specs.Spec) -> specs.Spec:
    """Keep what only the platform sets."""
    hidden = {
        name: getattr(before, name) for name, info in type(before).model_fields.items() if specs.meta_of(info).hidden
    }
    return after.model_copy(update=hidden)


def _admit(actor: Actor, resource: Resource, spec: specs.Spec) -> None:
    admission.admit(
        admission.Request(actor, resource.project, resource.offering, resource.plan, resource.cluster, spec, resource)
    )


def _save(resource: Resource, fields: tuple[str, ...], is_for_engine: bool) -> None:
    try:
        with transaction.atomic():
            operations.save_wish(resource, *fields, "spec_version", generation=is_for_engine)
    except IntegrityError as error:
        if "one_living_service_per_name" in str(error):
            raise name_taken(resource.name) from error
        raise
