"""A settled service costs its API server nothing: counted by the API server's own audit log, with the watch running."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from portal.clusters.backends.kubernetes import seen
from portal.clusters.backends.kubernetes import watching as product
from portal.clusters.backends.kubernetes.backend import KubernetesBackend
from portal.core.drivers.kubernetes import NETWORK_POLICY, SECRET, SERVICE
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubernetes_rows import cluster_row, tenancy, turn, watching

pytestmark = [pytest.mark.engine, pytest.mark.django_db(transaction=True)]
USER = "quiet-portal"
KINDS = [SECRET, SERVICE, NETWORK_POLICY]


def test_turns_and_sweeps_of_settled_services_send_no_request_but_a_change_does(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]
) -> None:
    monkeypatch.setattr(product, "kinds_in_use", lambda: {kind.key: kind for kind in KINDS})
    cluster = cluster_row(control_plane.kubeconfig(USER, ("system:masters",)))
    backend, place = KubernetesBackend(cluster), tenancy()
    handles = [f"q{uuid.uuid4().hex[:11]}" for _ in range(3)]
    with watching():
        eventually(lambda: seen.watched(cluster.id, timezone.now()) >= {kind.key for kind in KINDS}, within=20)
        made = {handle: turn(backend, handle, place) for handle in handles}
        assert all(len(objects) >= 3 for objects in made.values())
        mark = control_plane.audit.mark()
        for _sweep in range(3):
            for handle in handles:
                assert turn(backend, handle, place) == made[handle]  # what the engine asks for
                backend.read(handle)  # what the sweep for drift asks for
        said = [
            f"{one.verb} {one.uri}"
            for one in control_plane.audit.requests(since=mark, user=USER)
            if one.verb != "watch"
        ]
        assert said == []
        turn(backend, handles[0], place, port=81, fence=2)
        eventually(lambda: [one.verb for one in control_plane.audit.requests(since=mark, user=USER)], within=5)
        for handle in handles:
            backend.delete(handle, fence=3)
    control_plane.call("DELETE", f"/api/v1/namespaces/{place.namespace}")
