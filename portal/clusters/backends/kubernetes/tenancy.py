"""The namespaces that services live in, made on first use: limits, a closed network, an account for releases."""

import datetime
import time
import uuid
from dataclasses import dataclass

from portal.clusters.backends.base import Tenancy
from portal.clusters.backends.kubernetes import groundwork, settings
from portal.clusters.backends.kubernetes.client import Client, Refused, Stale
from portal.clusters.backends.kubernetes.entries import digest_of, is_going
from portal.clusters.models import Cluster, Namespace
from portal.core.drivers.kubernetes import MANAGED_BY, MANAGER, NETWORK_POLICY, PROJECT_LABEL, Manifest, ObjectKind
from portal.core.errors import PermanentError, TemporaryError
from portal.projects import quotas

KEPT = datetime.timedelta(seconds=60)  # how long limits and settings are relied on in one process
_GOING = "The namespace of this service is still being taken away; it is made anew after that."


@dataclass(frozen=True, slots=True)
class Ground:
    """All that a namespace is to hold, and its digest."""

    objects: tuple[tuple[ObjectKind, Manifest], ...]
    digest: str
    known_at: float


_known: dict[tuple[uuid.UUID, Tenancy], Ground] = {}


def forget() -> None:
    """Have limits and settings read anew."""
    _known.clear()


def prepare(client: Client, cluster_id: uuid.UUID, tenancy: Tenancy, *, known: str) -> None:
    """Have the namespace as it should be. Asks the cluster nothing where it was made so before.

    ``known``: the digest of what it holds, as its row says.
    """
    ground = _ground(cluster_id, tenancy)
    if known == ground.digest:
        return
    row, _ = Namespace.objects.get_or_create(
        cluster_id=cluster_id, name=tenancy.namespace, defaults={"project_id": tenancy.project_id, "own": tenancy.own}
    )
    try:
        _make(client, ground, tenancy, is_new=not row.digest)
    except Refused as error:
        raise _in_words(error) from error
    except Stale as error:
        raise TemporaryError("The project's namespace was changed at the same moment; we try again.") from error
    Namespace.objects.filter(pk=row.pk).update(digest=ground.digest, project_id=tenancy.project_id)


def mistrust(cluster_id: uuid.UUID, namespace: str) -> None:
    """Have a namespace looked at anew: something in the cluster says that it is not there."""
    Namespace.objects.filter(cluster_id=cluster_id, name=namespace).update(digest="")


def _ground(cluster_id: uuid.UUID, tenancy: Tenancy) -> Ground:
    key, now = (cluster_id, tenancy), time.monotonic()
    known = _known.get(key)
    if known is not None and now - known.known_at < KEPT.total_seconds():
        return known
    stored = Cluster.objects.values_list("settings", flat=True).get(id=cluster_id)
    limits = quotas.limits_of(tenancy.organization_id, tenancy.project_id)
    objects = tuple(groundwork.of(tenancy, limits, settings.read(stored)))
    if len(_known) > 10_000:
        _known.clear()
    _known[key] = Ground(objects, digest_of([manifest for _, manifest in objects]), now)
    return _known[key]


def _make(client: Client, ground: Ground, tenancy: Tenancy, *, is_new: bool) -> None:
    (kind, namespace), *rest = ground.objects
    if is_new:
        _make_namespace(client, kind, namespace)
    else:
        client.apply(kind, namespace, force=True)
    for kind, manifest in rest:
        client.apply(kind, manifest, force=True)
    _prune_policies(client, tenancy.namespace, {manifest["metadata"]["name"] for _, manifest in rest})


def _make_namespace(client: Client, kind: ObjectKind, namespace: Manifest) -> None:
    """Make a namespace, or take up again the one that this portal had begun to make; never somebody else's."""
    name = namespace["metadata"]["name"]
    try:
        client.apply(kind, only_new(namespace), force=False)
    except Stale:
        there = client.get(kind, "", name)
        if there is None or is_going(there):
            raise TemporaryError(_GOING) from None
        if (there["metadata"].get("labels") or {}).get(MANAGED_BY) != MANAGER:
            raise PermanentError(
                f"The region has a namespace {name} that is not the portal's: an operator has to look."
            ) from None
        client.apply(kind, namespace, force=True)


def only_new(manifest: Manifest) -> Manifest:
    """Return a manifest whose server-side apply makes an object and never changes one.

    It names a resource version that no object has: of one that is there the API server says that it is stale, and
    where it makes one it does not look at it (apiserver, ``registry.Store.Update``).
    """
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": "1"}}


def _prune_policies(client: Client, namespace: str, wanted: set[str]) -> None:
    """Take away openings that settings no longer ask for; those of services carry their handle."""
    selector = f"{MANAGED_BY}={MANAGER},{PROJECT_LABEL},!{groundwork.HANDLE_LABEL}"
    there, _ = client.list(NETWORK_POLICY, namespace=namespace, selector=selector)
    for policy in there:
        if policy["metadata"]["name"] not in wanted:
            client.delete(NETWORK_POLICY, namespace, policy["metadata"]["name"], uid=policy["metadata"]["uid"])


def _in_words(error: Refused) -> PermanentError | TemporaryError:
    if any(cause.type == "NamespaceTerminating" for cause in error.causes):
        return TemporaryError(_GOING)
    if error.status in (403, 404):
        return TemporaryError(
            "The portal may not make namespaces in this region: an operator has to look; we try again."
        )
    return PermanentError("The region refuses the project's namespace: an operator has to look.")
