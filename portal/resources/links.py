"""Links: the services that a spec's ``ref`` fields name, kept as rows so that a used service is not deleted."""

from django.utils.translation import gettext as _

from portal.core import ids
from portal.core.errors import FieldError, invalid
from portal.core.specs import Spec, meta_of
from portal.projects.models import Project
from portal.resources.models import Link, Resource


def resolve(project: Project, spec: Spec, *, source: Resource | None = None, at: str = "/spec") -> dict[str, Resource]:
    """Return the living service behind each field that names one, by role. Raises Problem naming each wrong field.

    Only other services of the same project can be linked; another's is as unknown as one that was never there. The
    targets are locked, so that none is deleted before the link is there to say that it is used.
    """
    fields = [name for name, info in type(spec).model_fields.items() if meta_of(info).ref and getattr(spec, name)]
    keys = {name: ids.decode("svc", str(getattr(spec, name))) for name in fields}
    wanted = {key for key in keys.values() if key} - {source.id if source else None}
    rows = Resource.objects.living().filter(project=project, id__in=wanted).order_by("id")
    found = {row.id: row for row in rows.select_for_update(no_key=True)} if wanted else {}
    targets = {name: found.get(key) if key else None for name, key in keys.items()}
    errors = [error for name, target in targets.items() if (error := _error(spec, name, target, at))]
    if errors:
        raise invalid(*errors)
    return {name: found[key] for name, key in keys.items() if key}


def _error(spec: Spec, name: str, target: Resource | None, at: str) -> FieldError | None:
    offerings = meta_of(type(spec).model_fields[name]).ref
    if target is not None and target.offering_slug in offerings:
        return None
    detail = _("Name a service of this project by its id: one of %(kinds)s.") % {"kinds": ", ".join(offerings)}
    return FieldError(f"{at}/{name}", "unknown_service", detail)


def save(resource: Resource, targets: dict[str, Resource]) -> None:
    """Make the rows match: one per role, none that is no longer named."""
    Link.objects.filter(source=resource).exclude(role__in=targets).delete()
    for role, target in targets.items():
        Link.objects.update_or_create(source=resource, role=role, defaults={"target": target})


def targets_of(resource: Resource) -> dict[str, Resource]:
    """Return the services that its spec names, as they are linked now."""
    fields = {name for name, info in resource.offering.spec.model_fields.items() if meta_of(info).ref}
    rows = Link.objects.filter(source=resource, role__in=fields).select_related("target")
    return {link.role: link.target for link in rows}
