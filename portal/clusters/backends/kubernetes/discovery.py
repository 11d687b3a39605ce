"""What a Kubernetes cluster is and serves, as a plain dictionary for ``Cluster.capabilities``.

``{"version": "1.36.3", "apis": {"postgresql.cnpg.io/v1": ["Backup", "Cluster"]}, "storage_classes": ["ceph"],
"default_storage_class": "ceph", "problems": []}``; ``apis`` without the core group, which every cluster serves.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any

from portal.clusters.backends.kubernetes.client import Client, Refused
from portal.clusters.backends.kubernetes.clients import client_of_turns
from portal.clusters.models import Cluster

OLDEST = (1, 27)  # the first whose server-side apply takes strict field validation
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
_IS_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_RIGHTS = (  # verb, group, resource: without these nothing can be ordered here
    ("create", "", "namespaces"),
    ("create", "", "secrets"),
    ("patch", "networking.k8s.io", "networkpolicies"),
)


def discover(cluster_id: uuid.UUID) -> dict[str, Any]:
    """Look at a cluster that has a row. Raises TemporaryError where it does not answer."""
    settings = Cluster.objects.values_list("settings", flat=True).get(id=cluster_id)
    return look(client_of_turns(cluster_id), settings)


def look(client: Client, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Ask an API server what it is and serves."""
    version = str(client.json("/version").get("gitVersion") or "").removeprefix("v")
    classes = _storage_classes(client)
    default = next((name for name, is_default in (classes or {}).items() if is_default), "")
    return {
        "version": version,
        "apis": _apis(client),
        "storage_classes": sorted(classes or {}),
        "default_storage_class": default,
        "problems": [*_of_version(version), *_of_storage(classes, default, settings), *_of_rights(client)],
    }


def _apis(client: Client) -> dict[str, list[str]]:
    """Return the kinds by group and version: in one answer, or one for each where a server is too old for that."""
    found = client.json("/apis", accept=_AGGREGATED)
    if found.get("kind") == "APIGroupDiscoveryList":
        return dict(sorted(pair for group in found.get("items") or () for pair in _aggregated(group)))
    names = sorted(version["groupVersion"] for group in found.get("groups") or () for version in group["versions"])
    return {name: _kinds(client, name) for name in names}


def _aggregated(group: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
    """Return (group/version, kinds) of what can be asked now: a stale version's own server does not answer."""
    name = group["metadata"]["name"]
    return [
        (f"{name}/{one['version']}", sorted({_kind(resource) for resource in one.get("resources") or ()} - {""}))
        for one in group.get("versions") or ()
        if one.get("freshness") != "Stale"
    ]


def _kind(resource: Mapping[str, Any]) -> str:
    return str((resource.get("responseKind") or {}).get("kind") or "")


def _kinds(client: Client, name: str) -> list[str]:
    group, _slash, version = name.partition("/")
    try:
        found = client.json(f"/apis/{group}/{version}")
    except Refused:
        return []
    return sorted({str(one["kind"]) for one in found.get("resources") or () if "/" not in one["name"]})


def _storage_classes(client: Client) -> dict[str, bool] | None:
    """Return the classes, each with whether it is the default; None where they may not be read."""
    try:
        found = client.json("/apis/storage.k8s.io/v1/storageclasses").get("items") or []
    except Refused:
        return None
    metadata = [item["metadata"] for item in found]
    return {one["name"]: (one.get("annotations") or {}).get(_IS_DEFAULT) == "true" for one in metadata}


def _of_version(version: str) -> list[str]:
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        return [f"Its version can't be read: {version[:60]!r}."]
    oldest = ".".join(map(str, OLDEST))
    return [] if (int(found[1]), int(found[2])) >= OLDEST else [f"It is {version}; at least {oldest} is needed."]


def _of_storage(classes: Mapping[str, bool] | None, default: str, settings: Mapping[str, Any]) -> list[str]:
    if classes is None:
        return ["The portal's account may not read storage classes."]
    wanted = settings.get("storage_class")
    if wanted:
        return [] if wanted in classes else [f"There is no storage class {wanted}, which its settings name."]
    return [] if default else ["It has no default storage class, and its settings name none."]


def _of_rights(client: Client) -> list[str]:
    may = {right: _may(client, *right) for right in _RIGHTS}
    return [
        f"The portal's account may not {verb} {resource}." for (verb, _group, resource), ok in may.items() if not ok
    ]


def _may(client: Client, verb: str, group: str, resource: str) -> bool:
    """Whether the portal's own account may do something in every namespace; yes where that can't be asked."""
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
    }
    try:
        answer = client.ask("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", question)
    except Refused:
        return True
    return bool(answer["status"]["allowed"])
