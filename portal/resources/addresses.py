"""Where services and their parts can be looked at; lower layers ask through ``settings.AUDIT_TARGETS``."""

import uuid
from collections.abc import Mapping

from django.urls import reverse

from portal.core import ids, registry
from portal.core.actors import Actor
from portal.resources.access import visible_resources
from portal.resources.models import Child


def addresses(actor: Actor, wanted: Mapping[str, set[uuid.UUID]]) -> dict[uuid.UUID, str]:
    """Return addresses by id for services, and for parts of the kinds that offerings declare, as far as to be seen."""
    return {**_of_services(actor, wanted.get("service", set())), **_of_parts(actor, wanted)}


def _of_services(actor: Actor, wanted: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    if not wanted:
        return {}
    found = visible_resources(actor).filter(id__in=wanted, purged_at=None).values_list("id", flat=True)
    return {key: reverse("resources:service", args=[ids.encode("svc", key)]) for key in found}


def _of_parts(actor: Actor, wanted: Mapping[str, set[uuid.UUID]]) -> dict[uuid.UUID, str]:
    """Lead to the list that a part stands in: not every kind has a page for each."""
    kinds = {kind.slug for offering in registry.offerings().values() for kind in offering.children} & wanted.keys()
    if not kinds:
        return {}
    keys = set().union(*(wanted[kind] for kind in kinds))
    rows = Child.objects.filter(id__in=keys, resource__in=visible_resources(actor).filter(purged_at=None))
    return {
        key: reverse("resources:children", args=[ids.encode("svc", resource), kind])
        for key, resource, kind in rows.values_list("id", "resource_id", "kind")
    }
