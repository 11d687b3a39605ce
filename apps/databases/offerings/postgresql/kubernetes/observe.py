"""From the operator's objects to what a customer reads: conditions, endpoints, facts. Pure.

A ``Cluster`` tells no ``observedGeneration``. So a status counts for what is asked once everything in it that can be
compared agrees (nodes, image, primary, hibernation), and the object has been looked at ``LOOKS`` times as it is asked
for now: right after a write the old status still says healthy. A new object has no old status.
"""

import datetime
import uuid
from collections.abc import Mapping
from typing import Any

from apps.databases.offerings.postgresql.kubernetes import children, exposure, storage
from apps.databases.offerings.postgresql.kubernetes.cluster import HIBERNATION, IMAGE, RESTARTED_AT, has_pooler
from apps.databases.offerings.postgresql.kubernetes.exposure import PORT
from apps.databases.offerings.postgresql.kubernetes.kinds import CLUSTER, OBJECT_STORE, POOLER, pooler_name
from apps.databases.offerings.postgresql.kubernetes.phases import FINAL, FULL, FULL_WORDS, HEALTHY, SERVING, WAITING
from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import ChildObservation, Endpoint, Observation, View
from portal.core.drivers.kubernetes import Manifest, condition, find

LOOKS = 3
AGAIN = datetime.timedelta(seconds=4)  # between looks at a status that may be an old one
AT_ONCE = datetime.timedelta(0)
WORDS = 200  # characters of the operator's own text in a message


def was_ready(view: View) -> bool:
    """Whether the service has ever served: there may be data in it."""
    return "release" in view.facts


def observe(view: View, objects: list[Manifest]) -> Observation:
    """Judge the objects as last seen."""
    seen = find(objects, CLUSTER, view.handle)
    parts = {child.id: children.observe(view, child, objects) for child in view.children}
    looked = _looked(view, seen)
    usable = _usable(view, objects, parts)
    conditions = _conditions(view, seen, usable)
    facts = _facts(view, seen, objects, looked, usable)
    settled = _is_settled(view, seen, objects, looked) and all(part.state != "pending" for part in parts.values())
    return Observation(
        conditions=tuple(conditions),
        facts=facts,
        endpoints=_endpoints(view, seen, objects),
        children=parts,
        settled=settled,
        due_in=None if settled else _due_in(view, seen, facts),
    )


def _due_in(view: View, seen: Manifest | None, facts: Mapping[str, Any]) -> datetime.timedelta | None:
    """Return when to look again at what is not settled; None: as soon as the watch tells."""
    if "release" in facts and not was_ready(view):
        return AT_ONCE
    return AGAIN if _is_healthy(view, seen) else None


def _status(seen: Manifest | None) -> dict[str, Any]:
    return (seen or {}).get("status") or {}


def _is_hibernated(seen: Manifest | None) -> bool:
    return condition(seen, HIBERNATION).get("status") == "True"


def _is_healthy(view: View, seen: Manifest | None) -> bool:
    """Whether the status says ready, and agrees with what is asked in all that can be compared."""
    status = _status(seen)
    return (
        status.get("phase") == HEALTHY
        and condition(seen, "Ready").get("status") == "True"
        and status.get("readyInstances") == view.plan.nodes
        and status.get("instances", view.plan.nodes) == view.plan.nodes
        and status.get("currentPrimary") == status.get("targetPrimary")
        and not status.get("resizingPVC")
        and _runs_image(seen)
        and not condition(seen, HIBERNATION)
    )


def _runs_image(seen: Manifest | None) -> bool:
    wanted = ((seen or {}).get("spec") or {}).get("imageName")
    told = _status(seen).get("image")
    return not wanted or not told or wanted == told


def _is_settled(view: View, seen: Manifest | None, objects: list[Manifest], looked: dict[str, Any]) -> bool:
    if not view.running:
        return _is_stopped(view, seen)
    if exposure.host(view) and not exposure.has_address(view, objects):
        return False
    if has_pooler(view) and _status(find(objects, POOLER, pooler_name(view.handle))).get("phase") != "active":
        return False
    return was_ready(view) and _is_healthy(view, seen) and looked["looks"] >= LOOKS


def _is_stopped(view: View, seen: Manifest | None) -> bool:
    """Whether nothing runs any more; what never served is not hibernated but taken away."""
    return _is_hibernated(seen) if was_ready(view) else seen is None


def _looked(view: View, seen: Manifest | None) -> dict[str, Any]:
    """Return what the object was like at this look, and how often it was looked at like that."""
    if seen is None:
        return {"mark": "", "looks": 0}
    meta = seen["metadata"]
    annotations = meta.get("annotations") or {}
    mark = f"{meta.get('generation', 0)}/{annotations.get(HIBERNATION)}/{annotations.get(RESTARTED_AT)}"
    before = view.facts.get("looked") or {}
    looks = before.get("looks", 0) + 1 if before.get("mark") == mark and _status(seen) else 1
    is_new = not was_ready(view) and meta.get("generation") == 1 and RESTARTED_AT not in annotations
    return {"mark": mark, "looks": LOOKS if is_new else min(looks, LOOKS)}


# ---- conditions ------------------------------------------------------------------------------------------------------


def _conditions(view: View, seen: Manifest | None, usable: Condition) -> list[Condition]:
    if not view.running:
        return _stopped(view, seen)
    status = _status(seen)
    phase = str(status.get("phase") or "")
    if phase in FINAL:
        reason, words = FINAL[phase]
        message = words.replace("%s", _said(status), 1)
        return [not_ready(reason, message), Condition("Stalled", Status.TRUE, reason, message)]
    if phase == FULL:
        return [not_ready("DiskFull", FULL_WORDS), Condition("DiskFull", Status.TRUE, "DiskFull", FULL_WORDS)]
    warnings = _warnings(seen)
    if _is_hibernated(seen):
        return [not_ready("Starting", "Waiting for the operator to start PostgreSQL again.")]
    if _is_healthy(view, seen):
        return [usable, *warnings]
    if _serves(view, seen):
        return [ready(), *_missing_nodes(view, status), *warnings]
    return [_on_the_way(view, phase, status)]


def _usable(view: View, objects: list[Manifest], parts: Mapping[uuid.UUID, ChildObservation]) -> Condition:
    """Return whether a well PostgreSQL can be used: the first time, that takes a login, a database and an address."""
    if was_ready(view):
        return ready()
    first = [parts[child.id] for child in view.children if child.kind != "backups" and child.spec.main]
    if refused := next((part.message for part in first if part.state == "failed"), ""):
        return not_ready("SetupFailed", f"The first login or database can't be made. {refused} We keep trying.")
    if any(part.state != "ready" for part in first):
        return not_ready("SettingUp", "Waiting for the first login and database to be made.")
    if exposure.host(view) and not exposure.has_address(view, objects):
        return not_ready("WaitingForAddress", "Waiting for the region to give the service an address from outside.")
    return ready()


def _serves(view: View, seen: Manifest | None) -> bool:
    """Whether a service that has been ready can be used while some of its nodes are on their way."""
    status = _status(seen)
    able = status.get("phase") in SERVING and int(status.get("readyInstances") or 0) > 0
    same = bool(status.get("currentPrimary")) and status.get("currentPrimary") == status.get("targetPrimary")
    return was_ready(view) and able and same and condition(seen, HIBERNATION).get("status") is None


def _missing_nodes(view: View, status: dict[str, Any]) -> list[Condition]:
    there, wanted = int(status.get("readyInstances") or 0), view.plan.nodes
    if there >= wanted:
        return []
    message = f"{there} of {wanted} nodes serve; the platform is bringing up the rest."
    return [Condition("NodesMissing", Status.TRUE, "NodesMissing", message)]


def _on_the_way(view: View, phase: str, status: dict[str, Any]) -> Condition:
    if view.origin is not None and not was_ready(view) and phase in ("", "Setting up primary"):
        return not_ready("RestoringBackup", "Waiting for the backup to be read from its store.")
    if phase == HEALTHY:
        phase = "Waiting for the instances to become active"
    reason, message = WAITING.get(phase, ("Waiting", f"Waiting for the database operator: {phase[:WORDS]}."))
    there = int(status.get("readyInstances") or 0)
    if view.plan.nodes > 1 and there:
        message = f"{message} {there} of {view.plan.nodes} nodes are ready."
    return not_ready(reason, message)


def _stopped(view: View, seen: Manifest | None) -> list[Condition]:
    if _is_stopped(view, seen):
        stopped = Condition("Stopped", Status.TRUE, "Stopped", "Data and address are kept.")
        return [not_ready("Stopped", "The service is stopped. Start it to use it."), stopped]
    phase = str(_status(seen).get("phase") or "")
    if was_ready(view) and phase != HEALTHY and not condition(seen, HIBERNATION):
        words = "PostgreSQL is not well at the moment, and is stopped as soon as it is."
        return [not_ready("Stopping", words)]
    return [not_ready("Stopping", "PostgreSQL is writing everything out and stopping.")]


def _warnings(seen: Manifest | None) -> list[Condition]:
    """Return what is wrong with backups: a log that can't be archived fills the disk."""
    found = []
    if condition(seen, "ContinuousArchiving").get("status") == "False":
        words = "The log can't be archived; until it can, the disk fills. The platform's operator has to help."
        found.append(Condition("ArchivingFailing", Status.TRUE, "ArchivingFailing", words))
    if condition(seen, "LastBackupSucceeded").get("status") == "False":
        words = "The last backup failed. It is tried again tonight; make one by hand to try at once."
        found.append(Condition("BackupFailing", Status.TRUE, "BackupFailing", words))
    return found


def _said(status: dict[str, Any]) -> str:
    text = " ".join(str(status.get("phaseReason") or "").split())[:WORDS].rstrip(".")
    return f" ({text})" if text else ""


# ---- facts -----------------------------------------------------------------------------------------------------------


def _facts(
    view: View, seen: Manifest | None, objects: list[Manifest], looked: dict[str, Any], usable: Condition
) -> dict[str, Any]:
    """Return what is kept of this look. Once ready, always so: what holds data is never taken for empty."""
    release = view.facts.get("release")
    if view.running and _is_healthy(view, seen) and usable.status is Status.TRUE:
        release = _release(view, seen)
    found = {
        "release": release,
        "disk_gib": _disk_gib(view, seen),
        "looked": looked,
        "primary": _status(seen).get("currentPrimary") if view.running else None,
        **_recovery_window(view, objects),
    }
    return {name: value for name, value in found.items() if value is not None}


def _disk_gib(view: View, seen: Manifest | None) -> int | None:
    """Return the largest disk that was ever asked for, in GiB."""
    asked = str((((seen or {}).get("spec") or {}).get("storage") or {}).get("size") or "")
    sizes = (view.facts.get("disk_gib"), int(asked[:-2]) if asked[:-2].isdecimal() and asked.endswith("Gi") else None)
    return max((int(size) for size in sizes if size), default=None)


def _release(view: View, seen: Manifest | None) -> str:
    """Return the release that runs, from the tag of its image: ``17.10-standard-trixie`` is a 17.10."""
    image = str(_status(seen).get("image") or f"{IMAGE}:{view.release}")
    tag = image.partition("@")[0].rpartition(":")[2].partition("-")[0]
    return tag if tag.partition(".")[0] == view.version else view.release


def _recovery_window(view: View, objects: list[Manifest]) -> dict[str, Any]:
    store = find(objects, OBJECT_STORE, view.handle)
    window = (_status(store).get("serverRecoveryWindow") or {}).get(view.handle) or {}
    return {
        "recoverable_from": window.get("firstRecoverabilityPoint"),
        "last_backup_at": window.get("lastSuccessfulBackupTime"),
        "backups": "none" if not storage.has_store(view) else None,
    }


def _endpoints(view: View, seen: Manifest | None, objects: list[Manifest]) -> tuple[Endpoint, ...]:
    """Return the addresses once the operator has begun: from outside first, where there is one, then inside."""
    if not _status(seen).get("phase") and not was_ready(view):
        return ()
    public = Endpoint("primary", exposure.host(view), PORT)
    found = [public] if public.host and (was_ready(view) or exposure.has_address(view, objects)) else []
    found += [_endpoint(view, "primary", f"{view.handle}-rw", "primary")]
    if view.plan.nodes > 1:
        found.append(_endpoint(view, "replicas", f"{view.handle}-ro", "read"))
    if has_pooler(view):
        found.append(_endpoint(view, "pooler", pooler_name(view.handle), "pooled"))
    return tuple(found)


def _endpoint(view: View, component: str, name: str, usage: str) -> Endpoint:
    return Endpoint(component, f"{name}.{view.namespace}.svc", PORT, usage=usage, route="internal")
