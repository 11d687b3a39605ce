"""A toy with a driver for Kubernetes: ConfigMaps and volume claims, which every API server serves and no operator runs.

It stands for what drivers of real offerings render: a root object, one object and one secret for each user, a claim
that is kept while the service lives, and claims that "an operator" leaves behind.
"""

import dataclasses
from typing import Any

from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import ChildObservation, Connection, Endpoint, Observation, View
from portal.core.drivers.kubernetes import (
    CONFIG_MAP,
    KEEP,
    VOLUME_CLAIM,
    ClusterSecret,
    KubernetesDriver,
    Leftover,
    Manifest,
    Rendered,
    find,
    manifest,
    secret_name,
)
from tests.resources.doubles import TOY

LEFT_BY = "toy.example/of"  # label of what "the operator" makes
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def config_map(name: str, **data: str) -> Manifest:
    """Return a ConfigMap: a kind that has no ``spec``."""
    return {"apiVersion": CONFIG_MAP.api_version, "kind": CONFIG_MAP.kind, "metadata": {"name": name}, "data": data}


class KubernetesToy(KubernetesDriver):
    """Ready as soon as its root object is there as asked for."""

    kinds = (CONFIG_MAP, VOLUME_CLAIM)
    operator = "None: every cluster serves these kinds."
    api_pods = ("toy.example/talks",)

    def render(self, view: View) -> list[Rendered]:
        users = [user for user in view.of_kind("users") if not user.deleting]
        secrets = [ClusterSecret(f"user-{user.id}", plain={"username": user.name}) for user in users]
        names = [secret_name(view.handle, f"user-{user.id}") for user in users]
        return [
            *secrets,
            manifest(VOLUME_CLAIM, f"{view.handle}-data", CLAIM, annotations={KEEP: "true"}),
            config_map(view.handle, greeting=view.spec.greeting, running=str(view.running)),  # type: ignore[attr-defined]
            *(config_map(name, secret=name) for name in names),
            Leftover(VOLUME_CLAIM, f"{LEFT_BY}={view.handle}"),
        ]

    def observe(self, view: View, objects: list[dict[str, Any]]) -> Observation:
        root = find(objects, CONFIG_MAP, view.handle)
        children = {user.id: self._user(view, user, objects) for user in view.of_kind("users")}
        children |= {backup.id: ChildObservation("succeeded") for backup in view.of_kind("backups")}
        if root is None:
            return Observation(
                (not_ready("Starting", "Provisioning: waiting for its root object."),), children=children
            )
        if not view.running:
            stopped = root["data"]["running"] == "False"
            extra = (Condition("Stopped", Status.TRUE, "Stopped"),) if stopped else ()
            return Observation((not_ready("Stopped", "It is stopped."), *extra), children=children, settled=stopped)
        endpoint = Endpoint("primary", f"{view.handle}.{view.namespace}.svc", 4000, route="internal")
        return Observation((ready(),), endpoints=(endpoint,), children=children, settled=True)

    def _user(self, view: View, user: Any, objects: list[dict[str, Any]]) -> ChildObservation:
        there = find(objects, CONFIG_MAP, secret_name(view.handle, f"user-{user.id}"))
        if user.deleting:
            return ChildObservation("running" if there else "gone")
        return ChildObservation("ready" if there else "pending")

    def connect(self, view: View) -> tuple[Connection, ...]:
        return tuple(
            Connection(user.id, user.name, f"user-{user.id}", "toy://{{username}}@x/") for user in view.of_kind("users")
        )

    def pods(self, handle: str) -> str:
        return f"toy.example/service={handle}"


TOY_ON_KUBERNETES = dataclasses.replace(TOY, drivers={**TOY.drivers, "kubernetes": KubernetesToy()})
LONELY_TOY = dataclasses.replace(TOY_ON_KUBERNETES, slug="lonely-toy", isolation="service")  # a namespace of its own
