"""Takes a service away for good: its objects, its secrets, what operators left behind, and a namespace of its own.

Each call goes as far as the cluster lets it; the next goes on from there. What is gone was said by the API server.
"""

import datetime
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from django.utils import timezone

from portal.clusters.backends.kubernetes import seen
from portal.clusters.backends.kubernetes.client import NOT_SERVED, Refused
from portal.clusters.backends.kubernetes.entries import Entry, dump, is_going, load
from portal.clusters.backends.kubernetes.groundwork import NAMESPACE
from portal.clusters.backends.kubernetes.place import Workplace
from portal.clusters.backends.kubernetes.pruning import take_away
from portal.clusters.backends.kubernetes.refusals import explained
from portal.clusters.models import Inventory, Namespace
from portal.core.drivers.kubernetes import HANDLE_LABEL, MANAGED_BY, MANAGER, SECRET, Manifest, ObjectKind

# What hangs on its finalizers for so long does not keep the rest from going: what it waits for may be among that.
PATIENCE = datetime.timedelta(minutes=5)


def delete(place: Workplace, *, fence: int) -> None:
    """Go on with taking a service away: its objects in the reverse order of rendering, kind by kind."""
    row = place.row
    if not Inventory.objects.filter(pk=row.pk, fence__lte=fence).update(fence=fence, deleting=True):
        return
    entries = load(row.entries)
    for group in _groups(entries):
        for entry in group:
            if _take_away(place, entry):
                entries.remove(entry)
        _write(row, entries)
        if any(_is_waited_for(entry) for entry in group if entry in entries):
            return
    if not entries:
        _sweep(place)


def _groups(entries: list[Entry]) -> list[list[Entry]]:
    """Return the lines in the order of going: neighbours of one kind go together."""
    return [list(group) for _, group in groupby(reversed(entries), key=lambda entry: entry.kind.key)]


def _take_away(place: Workplace, entry: Entry) -> bool:
    """Whether an object is gone; so are all of a kind that the cluster does not know any more."""
    try:
        with explained(place, entry.kind.kind):
            return take_away(place, entry)
    except Exception as error:
        if _is_unknown(error):
            return True
        raise


def _is_unknown(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, Refused) and error.reason == NOT_SERVED:
            return True
        error = error.__cause__
    return False


def _write(row: Inventory, entries: list[Entry]) -> None:
    stored = dump(entries)
    if stored != row.entries:
        row.entries = stored
        Inventory.objects.filter(pk=row.pk).update(entries=stored)


def _is_waited_for(entry: Entry) -> bool:
    since = datetime.datetime.fromisoformat(entry.leaving) if entry.leaving else timezone.now()
    return timezone.now() - since < PATIENCE


def _sweep(place: Workplace) -> None:
    """Take away what no line names: secrets, what operators left behind, and after that a namespace of its own."""
    for kind, one in _unnamed(place):
        if not is_going(one):
            name, uid = one["metadata"]["name"], one["metadata"]["uid"]
            with explained(place, kind.kind):
                place.client.delete(kind, place.namespace(kind), name, uid=uid)
    if place.row.own_namespace and not any(_unnamed(place)):
        _delete_namespace(place)


def _unnamed(place: Workplace) -> Iterator[tuple[ObjectKind, Manifest]]:
    """Yield what is there of a service that no line names."""
    selectors = [(SECRET, f"{MANAGED_BY}={MANAGER},{HANDLE_LABEL}={place.handle}")]
    selectors += [(_kind_of(line), line["selector"]) for line in place.row.leftovers]
    for kind, selector in selectors:
        for one in _listed(place, kind, selector):
            yield kind, one


def _kind_of(line: Mapping[str, Any]) -> ObjectKind:
    return ObjectKind(line["group"], line["version"], line["kind"], line["plural"], line["namespaced"])


def _listed(place: Workplace, kind: ObjectKind, selector: str) -> list[Manifest]:
    """Return the objects of a selector in the service's namespace; none of a kind that is not known any more."""
    if not kind.namespaced or place.handle not in selector:
        return []
    try:
        with explained(place, kind.kind):
            found, _ = place.client.list(kind, namespace=place.row.namespace, selector=selector, metadata_only=True)
            return found
    except Exception as error:
        if _is_unknown(error):
            return []
        raise


def _namespace(place: Workplace) -> Manifest | None:
    """Return the namespace that is the service's alone, while it is there."""
    if not place.row.own_namespace:
        return None
    with explained(place, NAMESPACE.kind):
        return place.client.get(NAMESPACE, "", place.row.namespace)


def _delete_namespace(place: Workplace) -> None:
    there = _namespace(place)
    if there is None or is_going(there):
        return
    if (there["metadata"].get("labels") or {}).get(MANAGED_BY) == MANAGER:
        with explained(place, NAMESPACE.kind):
            place.client.delete(NAMESPACE, "", place.row.namespace, uid=there["metadata"]["uid"])


def leftovers(place: Workplace) -> list[str]:
    """Name what is still there; once the API server says that nothing is, the service's rows go."""
    row = place.row
    left = [f"{entry.kind.kind} {entry.name}" for entry in load(row.entries)]
    if not left:
        left = [f"{kind.kind} {one['metadata']['name']}" for kind, one in _unnamed(place)]
    if not left and (there := _namespace(place)) is not None:
        left = [f"Namespace {there['metadata']['name']}"]
    if not left and row.deleting:
        _forget(place)
    return left


def _forget(place: Workplace) -> None:
    row = place.row
    if row.own_namespace:
        Namespace.objects.filter(cluster_id=row.cluster_id, name=row.namespace, own=True).delete()
    seen.forget(row.cluster_id, row.handle)
    row.delete()
