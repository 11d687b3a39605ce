"""Takes away what is no longer rendered of a living service: objects that are not to be kept, then their secrets."""

from collections.abc import Iterable

from django.utils import timezone

from portal.clusters.backends.kubernetes.entries import Entry, is_going, is_ours
from portal.clusters.backends.kubernetes.place import Workplace
from portal.clusters.backends.kubernetes.refusals import explained
from portal.clusters.backends.kubernetes.secrets import remember
from portal.core.drivers.kubernetes import SECRET, secret_name


def prune(place: Workplace, entries: Iterable[Entry]) -> list[Entry]:
    """Have these objects taken away, the last rendered first; return the lines of those that are still there."""
    remaining = [entry for entry in reversed(list(entries)) if entry.keep or not take_away(place, entry)]
    return list(reversed(remaining))


def take_away(place: Workplace, entry: Entry) -> bool:
    """Ask for an object to be taken away, unless it is not ours; return whether the API server says that it is gone.

    An object with finalizers stays for a while: its line says since when, and later calls look again.
    """
    client, namespace = place.client, place.namespace(entry.kind)
    with explained(place, entry.kind.kind):
        there = client.get(entry.kind, namespace, entry.name)
        if there is not None and is_ours(there, place.handle):
            uid = there["metadata"]["uid"]
            if not is_going(there):
                client.delete(entry.kind, namespace, entry.name, uid=uid)
                there = client.get(entry.kind, namespace, entry.name)
            if there is not None and there["metadata"]["uid"] == uid:
                entry.uid, entry.leaving = uid, entry.leaving or timezone.now().isoformat()
                place.note(entry.kind, there)
                return False
    place.missing(entry.kind, entry.name)
    return True


def prune_secrets(place: Workplace, rendered: set[str], *, all_gone: bool) -> None:
    """Take away the Secrets that are no longer rendered, once no object is left that may use them."""
    old = [name for name in place.row.secrets if name not in rendered]
    if not old or not all_gone:
        return
    for name in old:
        take_away(place, Entry(SECRET, secret_name(place.handle, name)))
    remember(place.row, {name: mark for name, mark in place.row.secrets.items() if name not in old})
