"""A project whose toys run on a real API server: what people ask of it, turns as workers take them, what must hold."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from portal.clusters.models import Cluster, Inventory, SeenObject
from portal.core.actors import Actor
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import CONFIG_MAP, HANDLE_LABEL, SECRET, VOLUME_CLAIM, Manifest, secret_name
from portal.projects.models import Project
from portal.resources import actions, engine
from portal.resources.engine import claim, view
from portal.resources.models import Child, Resource
from tests.cluster.control_plane import ControlPlane
from tests.cluster.toy import TOY_ON_KUBERNETES

KINDS = (CONFIG_MAP, VOLUME_CLAIM, SECRET)
PATIENCE = 40  # turns that a wish may take


@dataclass
class Site:
    """One project and the API server behind its region."""

    actor: Actor
    project: Project
    cluster: Cluster
    control_plane: ControlPlane

    # ---- what people ask ---------------------------------------------------------------------------------------------

    def order(self, name: str, *, region: str = "") -> Resource:
        request = actions.OrderRequest(
            name=name, offering="toy", plan="dev-2", region=region or self.cluster.region.slug, spec={}
        )
        return actions.order(self.actor, project=self.project, request=request).resource

    def greet(self, row: Resource, word: str) -> None:
        actions.edit(self.actor, row, changes=actions.Edit(spec={"greeting": word}))

    def add_user(self, row: Resource, name: str) -> None:
        actions.create_child(self.actor, row, users(), name=name)

    def drop_user(self, row: Resource) -> None:
        actions.delete_child(self.actor, Child.objects.filter(resource=row, name__startswith="user").earliest("id"))

    def stop(self, row: Resource) -> None:
        actions.stop(self.actor, row)

    def start(self, row: Resource) -> None:
        actions.start(self.actor, row)

    def delete(self, row: Resource) -> None:
        actions.delete(self.actor, row, policy="wipe")

    # ---- what is there -----------------------------------------------------------------------------------------------

    def objects(self, row: Resource) -> dict[str, Manifest]:
        """Return by kind and name what the API server itself has of a service, asked past the product."""
        selector = f"labelSelector={HANDLE_LABEL}%3D{row.handle}"
        found = {}
        for kind in KINDS:
            path = f"/api/v1/namespaces/{view.namespace_of(row)}/{kind.plural}?{selector}"
            for one in self.control_plane.call("GET", path)["items"]:
                found[f"{kind.kind} {one['metadata']['name']}"] = one
        return found


def users() -> Any:
    return next(kind for kind in TOY_ON_KUBERNETES.children if kind.slug == "users")


def now(row: Resource) -> Resource:
    return Resource.objects.get(id=row.id)


def turn(row: Resource) -> Resource:
    """Take a turn at once, as if its time had come."""
    claim.wake(handle=row.handle)
    engine.reconcile(row.id)
    return now(row)


def is_settled(row: Resource) -> bool:
    """Whether nothing is left to do: no turn is due, no operation is open."""
    row = now(row)
    return row.purged_at is not None or (
        row.next_reconcile_at is None and not row.failures and not row.operations.open().exists()
    )


def settle(row: Resource, between: Callable[[], None] = lambda: None) -> Resource:
    """Take turns until nothing is left to do."""
    for _ in range(PATIENCE):
        if is_settled(row):
            return now(row)
        between()
        turn(row)
    raise AssertionError(f"not settled after {PATIENCE} turns: {now(row).conditions}")


def let_time_pass(row: Resource) -> None:
    """End what a killed worker has left: its lease runs out."""
    Resource.objects.filter(id=row.id).exclude(lease_until=None).update(lease_until=timezone.now())


# ---- what must hold --------------------------------------------------------------------------------------------------


def wished(row: Resource) -> set[str]:
    """Return by kind and name what is to be there of a service, as its driver says."""
    if now(row).purged_at is not None:
        return set()
    row = now(row)
    seen = view.build(row, list(row.children.single()), running=row.running)
    names = set()
    for item in row.offering.drivers["kubernetes"].render(seen):  # type: ignore[union-attr]
        if isinstance(item, dict):
            names.add(f"{item['kind']} {item['metadata']['name']}")
        elif isinstance(item, GeneratedSecret):
            names.add(f"{SECRET.kind} {secret_name(row.handle, item.name)}")
    return names


def written_down(row: Resource) -> set[str]:
    """Return by kind and name what the inventory of a service names."""
    line = Inventory.objects.filter(handle=row.handle).first()
    if line is None:
        return set()
    names = {" ".join(key.rsplit("/", 2)[-2:]) for key in line.entries}
    return names | {f"{SECRET.kind} {secret_name(row.handle, name)}" for name in line.secrets}


def seen_of(row: Resource) -> set[str]:
    rows = SeenObject.objects.filter(handle=row.handle, gone=False)
    return {f"{one.kind.rsplit('/')[-1]} {one.name}" for one in rows}


class Memory:
    """What each object was when it was first met: none may be made a second time, and no password changed."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str]] = {}

    def meet(self, objects: dict[str, Manifest]) -> None:
        for name, one in objects.items():
            password = base64.b64decode((one.get("data") or {}).get("password", "")) if "Secret" in name else b""
            known = (one["metadata"]["uid"], password.hex())
            assert self._first.setdefault(name, known) == known, f"{name} was made twice, or its password changed"


def check(site: Site, row: Resource, memory: Memory, at: str) -> None:
    """See that a settled service has exactly what is wished, once, and that the row and what was seen say the same."""
    there = site.objects(row)
    memory.meet(there)
    assert set(there) == wished(row), f"{at}: doubled, lost or orphaned"
    assert written_down(row) == set(there), f"{at}: the inventory"
    assert seen_of(row) == set(there), f"{at}: what was seen"
    for name, one in there.items():
        managers = [line["manager"] for line in one["metadata"]["managedFields"] if line["manager"] == "archipel"]
        assert len(managers) == 1, f"{at}: {name} is managed {managers}"
