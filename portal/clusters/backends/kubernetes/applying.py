"""Brings a service's objects to what its driver rendered, by server-side apply. May be cut off anywhere and run again.

The row is the wish and the write-ahead log: no object is asked for that it does not name. What was cut off is applied
again by the next turn, which finds an object that was made already and takes it for its own by its labels.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from portal.clusters.backends.base import Wanted
from portal.clusters.backends.kubernetes import pruning
from portal.clusters.backends.kubernetes.client import Stale
from portal.clusters.backends.kubernetes.entries import Entry, digest_of, dump, is_going, is_ours, load
from portal.clusters.backends.kubernetes.place import Workplace
from portal.clusters.backends.kubernetes.refusals import explained
from portal.clusters.backends.kubernetes.tenancy import only_new
from portal.clusters.backends.kubernetes.watching import kinds_in_use
from portal.clusters.models import Inventory
from portal.core.drivers import GeneratedSecret, ObjectKind, Rendered
from portal.core.drivers.kubernetes import CONFIG_MAP, KEEP, NETWORK_POLICY, SERVICE, Leftover, Manifest
from portal.core.errors import PermanentError, TemporaryError

_OURS = (CONFIG_MAP, SERVICE, NETWORK_POLICY)  # kinds that no driver has to declare


@dataclass(slots=True)
class Asked:
    """One object that is to be there: its line, the whole manifest, and that one's digest."""

    entry: Entry
    manifest: Manifest
    digest: str


@dataclass(slots=True)
class Work:
    """What one call has found and done, before it is written."""

    place: Workplace
    asked: list[Asked]
    others: list[Entry]  # that are no longer rendered

    @property
    def entries(self) -> list[Entry]:
        return [one.entry for one in self.asked] + self.others


def apply(place: Workplace, wanted: Wanted) -> None:
    """Apply what was rendered and prune what no longer is. An older fence is ignored.

    Raises TemporaryError also where an object is to be made anew whose predecessor is still going.
    """
    work = _work(place, wanted.rendered)
    if not _write_ahead(work, wanted):
        return
    before = dump(work.entries)
    try:
        waiting = _send_all(work)
        work.others = pruning.prune(place, work.others)
        pruning.prune_secrets(place, _secrets(wanted.rendered), all_gone=all(entry.keep for entry in work.others))
    finally:
        if place.has_answers or dump(work.entries) != before:
            _write(work, wanted.fence)
    if waiting:
        raise TemporaryError(f"{waiting[0].kind.kind} is still being taken away; it is made anew after that.")


# ---- what is asked ---------------------------------------------------------------------------------------------------


def _work(place: Workplace, rendered: Iterable[Rendered]) -> Work:
    kinds = {(kind.api_version, kind.kind): kind for kind in (*_OURS, *kinds_in_use().values())}
    known = {entry.identity: entry for entry in load(place.row.entries)}
    asked = [
        _ask(place, kinds, known, item, at)
        for at, item in enumerate(item for item in rendered if isinstance(item, dict))
    ]
    if len({one.entry.identity for one in asked}) < len(asked):
        raise ValueError(f"two manifests of service {place.handle} are of the same object")
    rest = [entry for entry in known.values() if all(entry is not one.entry for one in asked)]
    return Work(place, asked, rest)


def _ask(
    place: Workplace, kinds: Mapping[tuple[str, str], ObjectKind], known: Mapping[tuple[str, str, str], Entry],
    manifest: Manifest, at: int,
) -> Asked:  # fmt: skip
    """Raises KeyError for a kind that no driver declares, ValueError for a name or namespace that is not its own."""
    kind, name = kinds[manifest["apiVersion"], manifest["kind"]], manifest["metadata"]["name"]
    if name != place.handle and not name.startswith(f"{place.handle}-"):
        raise ValueError(f"{kind.key} {name} of service {place.handle} does not begin with its handle")
    if "namespace" in manifest["metadata"]:
        raise ValueError(f"{kind.key} {name} says a namespace")
    entry = known.get((kind.group, kind.kind, name)) or Entry(kind, name)
    entry.kind, entry.at = kind, at
    entry.keep = KEEP in (manifest["metadata"].get("annotations") or {})
    whole = _whole(place, kind, manifest)
    return Asked(entry, whole, digest_of(whole))


def _whole(place: Workplace, kind: ObjectKind, manifest: Manifest) -> Manifest:
    metadata = {**manifest["metadata"], "labels": {**(manifest["metadata"].get("labels") or {}), **place.labels}}
    if kind.namespaced:
        metadata["namespace"] = place.row.namespace
    return {**manifest, "metadata": metadata}


def _secrets(rendered: Iterable[Rendered]) -> set[str]:
    return {item.name for item in rendered if isinstance(item, GeneratedSecret)}


def _leftovers(place: Workplace, rendered: Iterable[Rendered]) -> list[dict[str, object]]:
    """Return what is to be swept at the end: that of earlier turns too, for it may have been left by what they made."""
    found = list(place.row.leftovers)
    for item in rendered:
        if isinstance(item, Leftover):
            if place.handle not in item.selector:
                raise ValueError(f"the selector {item.selector} of service {place.handle} does not name its handle")
            line = {
                "group": item.kind.group, "version": item.kind.version, "kind": item.kind.kind,
                "plural": item.kind.plural, "namespaced": item.kind.namespaced, "selector": item.selector,
            }  # fmt: skip
            found += [line] if line not in found else []
    return found


# ---- the row ---------------------------------------------------------------------------------------------------------


def _write_ahead(work: Work, wanted: Wanted) -> bool:
    """Write what is going to be sent, where no newer turn has written; say whether that was so."""
    row = work.place.row
    entries, leftovers = dump(work.entries), _leftovers(work.place, wanted.rendered)
    changed: dict[str, object] = {} if entries == row.entries else {"entries": entries}
    changed |= {} if leftovers == row.leftovers else {"leftovers": leftovers}
    rows = Inventory.objects.filter(pk=row.pk, fence__lte=wanted.fence, deleting=False)
    written = rows.update(fence=wanted.fence, generation=wanted.generation, **changed)
    row.entries, row.leftovers = entries, leftovers
    return bool(written)


def _write(work: Work, fence: int) -> None:
    """Write what was answered, the objects first: where the lines are lost, all is asked again."""
    place, row = work.place, work.place.row
    place.keep_answers()
    row.entries = dump(work.entries)
    row.digest = digest_of([one.digest for one in work.asked]) if _is_all_applied(work) else ""
    rows = Inventory.objects.filter(pk=row.pk, fence=fence)
    rows.update(entries=row.entries, secrets=row.secrets, digest=row.digest)


def _is_all_applied(work: Work) -> bool:
    return all(one.entry.uid and one.entry.digest == one.digest for one in work.asked)


# ---- requests --------------------------------------------------------------------------------------------------------


def _send_all(work: Work) -> list[Entry]:
    """Send what is not as it should be; return the lines of objects whose predecessors are still going.

    What is refused does not keep the others from being sent, but nothing is pruned then: its successor may be missing.
    """
    living, waiting, refusals = work.place.living, [], []
    for one in work.asked:
        entry = one.entry
        there = living.get((entry.kind.api_version, entry.kind.kind, entry.name))
        if _stands(one, there):
            continue
        if (entry.leaving or is_going(there)) and _is_still_going(work.place, entry):
            waiting.append(entry)
            continue
        try:
            with explained(work.place, entry.kind.kind):
                answer = _send(work.place, one)
        except PermanentError as refusal:
            refusals.append(refusal)
            continue
        entry.take(answer, one.digest)
        work.place.answered(entry.kind, answer)
    if refusals:
        raise refusals[0]
    return waiting


def _stands(one: Asked, there: Manifest | None) -> bool:
    """Whether nothing has to be asked: it was applied as it is wanted now, and was not changed since."""
    if there is None or one.entry.leaving or is_going(there) or one.entry.digest != one.digest:
        return False
    return one.entry.is_at(there) and all(
        (one.manifest["metadata"].get(part) or {}).items() <= (there["metadata"].get(part) or {}).items()
        for part in ("labels", "annotations")
    )


def _is_still_going(place: Workplace, entry: Entry) -> bool:
    """Look whether the object that is being taken away is there; where it is gone, its line is a new one."""
    with explained(place, entry.kind.kind):
        there = place.client.get(entry.kind, place.namespace(entry.kind), entry.name)
    if is_going(there):
        return True
    if there is None:
        place.missing(entry.kind, entry.name)
        entry.uid = ""
    entry.leaving = ""
    return False


def _send(place: Workplace, one: Asked) -> Manifest:
    """Apply one object: by force only the one that is known to be ours, and otherwise only where there is none."""
    entry, client = one.entry, place.client
    try:
        if entry.uid:
            return client.apply(entry.kind, _that(one.manifest, entry.uid), force=True)
        return client.apply(entry.kind, only_new(one.manifest), force=False)
    except Stale:
        there = client.get(entry.kind, place.namespace(entry.kind), entry.name)
    if there is None:
        return client.apply(entry.kind, only_new(one.manifest), force=False)
    if not is_ours(there, place.handle):
        raise PermanentError(
            f"There is a {entry.kind.kind} of this service's name that is not the portal's: an operator has to look."
        )
    if is_going(there):
        raise TemporaryError(f"{entry.kind.kind} is still being taken away; it is made anew after that.")
    return client.apply(entry.kind, _that(one.manifest, there["metadata"]["uid"]), force=True)


def _that(manifest: Manifest, uid: str) -> Manifest:
    """Return a manifest that is applied to the object of this uid alone, not to one that came in its place."""
    return {**manifest, "metadata": {**manifest["metadata"], "uid": uid}}
