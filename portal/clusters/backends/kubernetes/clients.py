"""Gives the client of a cluster: one per cluster and process, made anew when its kubeconfig was replaced."""

import os
import threading
import time
import uuid
from dataclasses import dataclass

from portal.clusters.backends.kubernetes import kubeconfig
from portal.clusters.backends.kubernetes.breaker import LOOK, Breaker
from portal.clusters.backends.kubernetes.client import Client
from portal.clusters.backends.kubernetes.sharing import Sharing
from portal.clusters.models import Cluster
from portal.core import vault
from portal.core.errors import PermanentError, TemporaryError


@dataclass(slots=True)
class Held:
    """A client, what it was made from, and when that was last compared with the row (monotonic seconds)."""

    client: Client
    of_turns: Client  # which leaves a worker of this host to other clusters
    breaker: Breaker
    sealed: str
    looked_at: float


_held: dict[uuid.UUID, Held] = {}
_making = threading.Lock()
os.register_at_fork(after_in_child=_held.clear)  # connections are not shared between processes


def client_of(cluster: Cluster | uuid.UUID) -> Client:
    """Return the client of a Kubernetes cluster.

    Raises PermanentError where there is no such cluster, TemporaryError where its kubeconfig can't be opened.
    """
    return _held_of(cluster.id if isinstance(cluster, Cluster) else cluster).client


def client_of_turns(cluster_id: uuid.UUID) -> Client:
    """Return the client for what workers do, turns and discovery: never do all of a host wait for one cluster."""
    return _held_of(cluster_id).of_turns


def _held_of(cluster_id: uuid.UUID) -> Held:
    held = _held.get(cluster_id)
    if held is not None and time.monotonic() - held.looked_at <= LOOK:
        return held
    row = Cluster.objects.filter(id=cluster_id).values_list("kubeconfig", "silent_since", "retry_at").first()
    if row is None or not row[0]:
        raise PermanentError("This service's cluster is not known any more.")
    with _making:
        held = _held.get(cluster_id)
        if held is None or held.sealed != row[0]:
            held = _held[cluster_id] = _made(cluster_id, row[0])
        held.looked_at = time.monotonic()
        held.breaker.tell(row[1], row[2])
    return held


def _made(cluster_id: uuid.UUID, sealed: str) -> Held:
    try:
        access = kubeconfig.read(vault.unseal(sealed))
    except (vault.Unreadable, kubeconfig.Unfit) as error:
        raise TemporaryError("This region can't be reached: an operator has to give its kubeconfig anew.") from error
    breaker = Breaker(cluster_id)
    client = Client(access, breaker)
    return Held(client, client.through(Sharing(cluster_id, breaker)), breaker, sealed, time.monotonic())


def forget(cluster_id: uuid.UUID) -> None:
    """Drop the client of a cluster that was removed."""
    held = _held.pop(cluster_id, None)
    if held is not None:
        held.client.close()


def leave_alone_no_more(cluster_id: uuid.UUID) -> None:
    """Have the next request go out, although the cluster did not answer the last one."""
    Cluster.objects.filter(id=cluster_id).update(retry_at=None)
    forget(cluster_id)
