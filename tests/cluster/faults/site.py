"""A project whose services run on a real API server: what people ask of it, workers' turns, what must hold."""

import base64
import time
from collections.abc import Collection
from dataclasses import dataclass

from django.utils import timezone

from portal.clusters.backends.kubernetes import groundwork, settings
from portal.clusters.models import Cluster, Inventory, SeenObject
from portal.core import registry
from portal.core.actors import Actor
from portal.core.drivers import GeneratedSecret
from portal.core.drivers.kubernetes import (
    CONFIG_MAP,
    HANDLE_LABEL,
    MANAGED_BY,
    MANAGER,
    SECRET,
    VOLUME_CLAIM,
    Manifest,
    ObjectKind,
    driver_of,
    secret_name,
)
from portal.projects import quotas
from portal.projects.models import Project
from portal.resources import actions, engine
from portal.resources.engine import claim, view
from portal.resources.models import Child, Resource
from tests.cluster.control_plane import ControlPlane

KINDS = (CONFIG_MAP, VOLUME_CLAIM, SECRET)  # of the toy
SOLD = registry.offerings()
PATIENCE = 60.0  # seconds that a wish may take


@dataclass
class Site:
    """One project and the API server behind its region."""

    actor: Actor
    project: Project
    cluster: Cluster
    control_plane: ControlPlane

    # ---- what people ask ---------------------------------------------------------------------------------------------

    def order(self, name: str, *, region: str = "", offering: str = "toy") -> Resource:
        plan = plans_of(offering)[0]
        request = actions.OrderRequest(
            name=name, offering=offering, plan=plan, region=region or self.cluster.region.slug, spec={}
        )
        return actions.order(self.actor, project=self.project, request=request).resource

    def greet(self, row: Resource, word: str) -> None:
        actions.edit(self.actor, row, changes=actions.Edit(spec={"greeting": word}))

    def pool(self, row: Resource, mode: str) -> None:
        actions.edit(self.actor, row, changes=actions.Edit(spec={"pooler": mode}))

    def resize(self, row: Resource) -> None:
        """Give it the largest plan, or the smallest again."""
        smallest, largest = plans_of(row.offering.slug)
        actions.resize(self.actor, row, plan=smallest if row.plan_slug == largest else largest)

    def add_user(self, row: Resource, name: str) -> None:
        self._add(row, "users", name)

    def add_database(self, row: Resource, name: str) -> None:
        self._add(row, "databases", name)

    def _add(self, row: Resource, kind: str, name: str) -> None:
        found = row.offering.child(kind)
        assert found is not None
        actions.create_child(self.actor, row, found, name=name)

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
        for kind in kinds_of(row):
            for one in self._list(kind, row, selector):
                found[f"{kind.kind} {one['metadata']['name']}"] = one
        return found

    def ground(self, row: Resource) -> set[str]:
        """Return by kind and name what its namespace has been given as such."""
        selector = f"labelSelector={MANAGED_BY}%3D{MANAGER}%2C!{HANDLE_LABEL}"
        kinds = [kind for kind in groundwork.KINDS if kind.namespaced]
        return {f"{kind.kind} {one['metadata']['name']}" for kind in kinds for one in self._list(kind, row, selector)}

    def _list(self, kind: ObjectKind, row: Resource, query: str) -> list[Manifest]:
        root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        path = f"{root}/namespaces/{view.namespace_of(row)}/{kind.plural}?{query}"
        items: list[Manifest] = self.control_plane.call("GET", path)["items"]
        return items


def plans_of(offering: str) -> tuple[str, str]:
    """Return the smallest and the largest plan that there is on Kubernetes."""
    if offering not in SOLD:
        return "dev-2", "dev-2"
    plans = [plan.slug for plan in SOLD[offering].plans if "kubernetes" in plan.backends and not plan.free]
    return plans[0], plans[-1]


def kinds_of(row: Resource) -> tuple[ObjectKind, ...]:
    driver = driver_of(row.offering.drivers)
    assert driver is not None
    return tuple({*driver.kinds, SECRET})


def now(row: Resource) -> Resource:
    return Resource.objects.get(id=row.id)


def turn(row: Resource) -> Resource:
    """Take a turn at once, as if its time had come."""
    claim.wake(handle=row.handle)
    engine.reconcile(row.id)
    return now(row)


def is_settled(row: Resource) -> bool:
    """Whether nothing is left to do: no turn is due, no operation is open, and nothing waits for its finalizers.

    That those are gone is told by the watch, which wakes the service; here turns are taken without one.
    """
    row = now(row)
    if row.purged_at is not None:
        return True
    entries = Inventory.objects.filter(handle=row.handle).values_list("entries", flat=True).first() or {}
    is_due = row.next_reconcile_at is not None or row.failures or row.operations.open().exists()
    return not is_due and not any(line["leaving"] for line in entries.values())


def settle(row: Resource) -> Resource:
    """Take turns until nothing is left to do."""
    end = time.monotonic() + PATIENCE
    while not is_settled(row):
        assert time.monotonic() < end, f"not settled after {PATIENCE} s: {now(row).state} {now(row).conditions}"
        turn(row)
    return now(row)


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


def ground_of(site: Site, row: Resource) -> set[str]:
    """Return by kind and name what a service's namespace is to hold; one of its own is gone with it."""
    if now(row).purged_at is not None and row.offering.isolation == "service":
        return set()
    limits = quotas.limits_of(site.project.organization_id, site.project.id)
    objects = groundwork.of(view.tenancy(row), limits, settings.read(Cluster.objects.get(id=row.cluster_id).settings))
    return {f"{kind.kind} {one['metadata']['name']}" for kind, one in objects if kind.namespaced}


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

    def forget_all_but(self, objects: Collection[str]) -> None:
        """What was taken away may be made anew one day."""
        self._first = {name: known for name, known in self._first.items() if name in objects}

    def meet(self, objects: dict[str, Manifest]) -> None:
        for name, one in objects.items():
            password = base64.b64decode((one.get("data") or {}).get("password", "")) if "Secret" in name else b""
            known = (one["metadata"]["uid"], password.hex())
            assert self._first.setdefault(name, known) == known, f"{name} was made twice, or its password changed"


def same(found: set[str], wanted: set[str], at: str) -> None:
    assert found == wanted, f"{at}: too many {sorted(found - wanted)}, missing {sorted(wanted - found)}"


def check(site: Site, row: Resource, memory: Memory, at: str) -> None:
    """See that a settled service has exactly what is wished, once, and that the row and what was seen say the same."""
    there = site.objects(row)
    memory.meet(there)
    memory.forget_all_but(there)
    same(set(there), wished(row), f"{at}: doubled, lost or orphaned")
    same(site.ground(row), ground_of(site, row), f"{at}: what its namespace is to hold")
    same(written_down(row), set(there), f"{at}: the inventory")
    same(seen_of(row), set(there), f"{at}: what was seen")
    for name, one in there.items():
        managers = [line["manager"] for line in one["metadata"]["managedFields"] if line["manager"] == "archipel"]
        assert len(managers) == 1, f"{at}: {name} is managed {managers}"
