"""Disks, and where backups go: a bucket of the service's own, by the Barman Cloud plugin.

A region whose settings name no class of buckets has no backups; the operator then runs without the plugin.
"""

import zlib
from collections.abc import Mapping
from typing import Any

from apps.databases.offerings.postgresql import config
from apps.databases.offerings.postgresql.children import MAIN_DATABASE
from apps.databases.offerings.postgresql.kubernetes.kinds import (
    BACKUP,
    BUCKET_CLAIM,
    OBJECT_STORE,
    PLUGIN,
    SCHEDULED_BACKUP,
    bucket_name,
    child_name,
)
from apps.databases.offerings.postgresql.sql import OWNER
from portal.core.drivers import ChildView, View
from portal.core.drivers.kubernetes import KEEP, Manifest, manifest

NO_STORE = "This region keeps no backups: its operator has named no class of buckets for them."
_NIGHT_BEGINS, _NIGHT_MINUTES = 22 * 60, 6 * 60  # UTC
_SIDECAR = {
    # Newer checksums of the plugin's S3 client are refused by older stores.
    "env": [
        {"name": "AWS_REQUEST_CHECKSUM_CALCULATION", "value": "when_required"},
        {"name": "AWS_RESPONSE_CHECKSUM_VALIDATION", "value": "when_required"},
    ],
    "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
}


def storage_class(view: View) -> dict[str, str]:
    """Return the class of disks, where the region's settings name one."""
    name = view.settings.get("storage_class")
    return {"storageClass": str(name)} if name else {}


def disk_gib(view: View) -> int:
    """Return the size of a node's disk. It never shrinks, which no class of disks can, whatever the plan is now."""
    return max(config.disk_gib(view), int(view.facts.get("disk_gib", 0)))


def has_store(view: View) -> bool:
    """Whether backups can be kept in this region."""
    return is_set(view.settings)


def is_set(settings: Mapping[str, Any]) -> bool:
    """Whether a cluster's settings name a store of backups."""
    return bool(settings.get("bucket_class") and settings.get("s3_endpoint"))


def store(view: View) -> list[Manifest]:
    """Return the bucket and how the plugin uses it. Backups older than the plan keeps them go by themselves."""
    if not has_store(view):
        return []
    bucket = bucket_name(view.handle)
    claim = {"bucketName": bucket, "storageClassName": str(view.settings["bucket_class"])}
    keys = {name: {"name": bucket, "key": key} for name, key in _KEYS.items()}
    spec = {
        "retentionPolicy": f"{view.plan.backup_retention_days}d",
        "configuration": {
            "destinationPath": f"s3://{bucket}/",
            "endpointURL": str(view.settings["s3_endpoint"]),
            "s3Credentials": keys,
            "wal": {"compression": "gzip", "maxParallel": 4},
            "data": {"compression": "gzip", "jobs": 2},
        },
        "instanceSidecarConfiguration": _SIDECAR,
    }
    return [
        manifest(BUCKET_CLAIM, bucket, claim, annotations=_STAYS),
        manifest(OBJECT_STORE, view.handle, spec, annotations=_STAYS),
    ]


# A change of the region's settings takes no backups away: the bucket goes with its claim, with all that is in it.
_STAYS = {KEEP: "true"}
_KEYS = {"accessKeyId": "AWS_ACCESS_KEY_ID", "secretAccessKey": "AWS_SECRET_ACCESS_KEY"}


def plugins(view: View) -> dict[str, Any]:
    """Return what archives the log. Without a store the plugin is left out: switched off it would still archive."""
    if not has_store(view):
        return {}
    return {"plugins": [{"name": PLUGIN, "isWALArchiver": True, "parameters": {"barmanObjectName": view.handle}}]}


# ---- backups ---------------------------------------------------------------------------------------------------------


def nightly(view: View) -> list[Manifest]:
    """Return the backup of each night, at a minute of the service's own. The schedule has six fields, seconds first."""
    if not has_store(view):
        return []
    minute = (_NIGHT_BEGINS + zlib.crc32(view.handle.encode()) % _NIGHT_MINUTES) % (24 * 60)
    spec = {
        **_by_plugin(view),
        "schedule": f"0 {minute % 60} {minute // 60} * * *",
        "immediate": True,
        "suspend": not view.running,
        "backupOwnerReference": "self",
        "target": "prefer-standby",
    }
    return [manifest(SCHEDULED_BACKUP, f"{view.handle}-nightly", spec)]


def on_demand(view: View) -> list[Manifest]:
    """Return the backups that people asked for and want to keep."""
    if not has_store(view):
        return []
    return [_backup(view, child) for child in view.of_kind("backups") if is_wanted(child)]


def is_wanted(child: ChildView) -> bool:
    """Whether a backup's object is to be there: a cancelled or failed one is taken away."""
    return not child.deleting and not child.cancelled and child.state not in ("failed", "cancelled")


def _backup(view: View, child: ChildView) -> Manifest:
    return manifest(BACKUP, child_name(view.handle, child), _by_plugin(view))


def _by_plugin(view: View) -> dict[str, Any]:
    return {"cluster": {"name": view.handle}, "method": "plugin", "pluginConfiguration": {"name": PLUGIN}}


# ---- from a backup ---------------------------------------------------------------------------------------------------


def recovery(view: View) -> dict[str, Any]:
    """Return ``bootstrap`` of a service that is born from a backup; empty for any other."""
    if view.origin is None or view.origin.in_place:
        return {}
    made = {"source": "origin", "database": MAIN_DATABASE, "owner": OWNER}
    facts = view.origin.facts
    if moment := facts.get("time"):
        return {"recovery": {**made, "recoveryTarget": {"targetTime": moment}}}
    if backup := facts.get("backup_id"):
        return {"recovery": {**made, "recoveryTarget": {"backupID": backup, "targetImmediate": True}}}
    return {"recovery": made}


def origin(view: View) -> dict[str, Any]:
    """Return where the backup lies: in the other service's store, which is only read."""
    if view.origin is None or view.origin.in_place:
        return {}
    handle = view.origin.handle
    parameters = {"barmanObjectName": handle, "serverName": handle}
    return {"externalClusters": [{"name": "origin", "plugin": {"name": PLUGIN, "parameters": parameters}}]}
