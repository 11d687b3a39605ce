"""What became of databases, users and backups, by the status of their objects."""

from typing import Any

from apps.databases.offerings.postgresql.kubernetes import storage
from apps.databases.offerings.postgresql.kubernetes.kinds import BACKUP, DATABASE, ROLE, child_name
from portal.core.drivers import ChildObservation, ChildView, View
from portal.core.drivers.kubernetes import Manifest, find, is_current

_KINDS = {"databases": DATABASE, "users": ROLE, "backups": BACKUP}
_FAILED = {
    "failed": "The backup failed",
    "walArchivingFailing": "The log can't be archived, so the backup can't be completed",
    "invalid backup definition": "The region refuses the backup",
}


def observe(view: View, child: ChildView, objects: list[Manifest]) -> ChildObservation:
    """Judge one part."""
    seen = find(objects, _KINDS[child.kind], child_name(view.handle, child))
    return _backup(view, child, seen) if child.kind == "backups" else _lasting(child, seen)


def _lasting(child: ChildView, seen: Manifest | None) -> ChildObservation:
    """Judge a database or a user. ``applied`` counts where it is about the object as it is now."""
    status = (seen or {}).get("status") or {}
    if not status or not _is_of_this_wish(child, seen):
        return ChildObservation("pending", "It waits until PostgreSQL answers.", "Waiting")
    if status.get("applied") is False and status.get("message"):
        return ChildObservation("failed", f"PostgreSQL refuses it: {_words(status['message'])}.", "Refused")
    if status.get("applied") is not True or not is_current(seen) or "observedGeneration" not in status:
        return ChildObservation("pending", "It is being made.", "Applying")
    if refused := _refused_extension(status):
        return ChildObservation("failed", refused, "Refused")
    return ChildObservation("gone" if child.deleting else "ready")


def _is_of_this_wish(child: ChildView, seen: Manifest | None) -> bool:
    """Whether the object seen is already the one that takes it away, where it is to go."""
    spec = (seen or {}).get("spec") or {}
    if child.kind == "databases":
        return (spec.get("ensure") == "absent") is child.deleting
    return bool(spec.get("login", False)) is not child.deleting


def _refused_extension(status: dict[str, Any]) -> str:
    found = [one for one in status.get("extensions") or () if not one.get("applied")]
    return f"Extension {found[0]['name']} can't be made: {_words(found[0].get('message'))}." if found else ""


def _backup(view: View, child: ChildView, seen: Manifest | None) -> ChildObservation:
    if child.deleting:
        return ChildObservation("gone" if seen is None else "running", "It is being removed.", "Removing")
    if child.finished:
        return ChildObservation(child.state)
    if child.cancelled:
        return ChildObservation("cancelled" if seen is None else "running", "It was cancelled.", "Cancelled")
    if not storage.has_store(view):
        return ChildObservation("failed", storage.NO_STORE, "NoBackupStore")
    status = (seen or {}).get("status") or {}
    phase = str(status.get("phase") or "")
    if phase in _FAILED:
        return ChildObservation("failed", f"{_FAILED[phase]}: {_words(status.get('error'))}.", "Failed")
    if phase == "completed":
        return ChildObservation("succeeded", facts=_facts(view, status))
    if not phase:
        return ChildObservation("pending", "It waits for its turn.", "Waiting")
    return ChildObservation("running", "Copying the data.", "Running")


def _facts(view: View, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "backup_id": str(status.get("backupId") or ""),
        "release": str(view.facts.get("release") or view.release),
        "format": "barman-cloud",
        "ended_at": str(status.get("stoppedAt") or ""),
        "kept_days": view.plan.backup_retention_days,
    }


def _words(text: Any) -> str:
    return " ".join(str(text or "its operator says no more").split())[:300].rstrip(".")
