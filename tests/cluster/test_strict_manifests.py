"""What drivers render, as a real API server takes it: strictly, by the operators' rules in CEL, and twice the same."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from portal.clusters.backends.kubernetes import kubeconfig
from portal.clusters.backends.kubernetes.client import Client, Refused
from portal.core import registry
from portal.core.drivers import ObjectKind, View
from portal.core.drivers.kubernetes import Manifest
from portal.core.offerings import Offering, Plan, Version
from tests.cluster.control_plane import ControlPlane
from tests.cluster.crds import Installed
from tests.contracts.test_kubernetes_rendering import driver_of, kubernetes_view, manifests, more_of, specs_of

# Their schemas have defaults within the status: the API server keeps them with the second request, and no sooner.
WRITTEN_WITH_THE_SECOND = {"ValkeyCluster"}
SOLD = [offering for offering in registry.offerings().values() if "kubernetes" in offering.drivers]


@pytest.fixture(scope="session")
def client(control_plane: ControlPlane) -> Iterator[Client]:
    found = Client(kubeconfig.read(control_plane.kubeconfig()))
    yield found
    found.close()


def few(offering: Offering) -> Iterator[View]:
    """Return each plan, each version and each setting in some view, so that every two of them meet once at least."""
    plans, specs = _plans(offering), list(specs_of(offering))
    for number, (version, plan) in enumerate(product(offering.versions, plans)):
        yield from _views(offering, plan, version, [specs[number % len(specs)]])
    for number, spec in enumerate(specs):
        yield from _views(
            offering, plans[number % len(plans)], offering.versions[number % len(offering.versions)], [spec]
        )


def every(offering: Offering) -> Iterator[View]:
    for plan, version in product(_plans(offering), offering.versions):
        yield from _views(offering, plan, version, list(specs_of(offering)))


def _plans(offering: Offering) -> list[Plan]:
    return [plan for plan in offering.plans if "kubernetes" in plan.backends]


def _views(offering: Offering, plan: Plan, version: Version, specs: list[Any]) -> Iterator[View]:
    for spec in specs:
        plain = kubernetes_view(offering, plan, version, spec=spec)
        yield plain
        networks = ("192.0.2.0/24", "2001:db8::/32")
        children = (*plain.children, *more_of(offering))
        yield replace(plain, restarts=3, allow_list=networks, children=children)


@pytest.mark.parametrize("slug", [offering.slug for offering in SOLD])
@pytest.mark.parametrize("views", [few, pytest.param(every, marks=pytest.mark.full)])
def test_every_manifest_is_taken_strictly(
    client: Client, crds: Installed, namespace: str, slug: str, views: Any
) -> None:
    offering = registry.offerings()[slug]
    asked = [item for view in views(offering) for item in manifests(driver_of(offering), view)]
    assert len(asked) > len(driver_of(offering).kinds)
    told = {_refusal(client, _kind(offering, item), _placed(item, namespace)) for item in asked}
    assert told == {""}


@pytest.mark.parametrize("slug", [offering.slug for offering in SOLD])
def test_the_same_again_changes_nothing_and_all_of_it_can_be_taken_away(
    client: Client, crds: Installed, namespace: str, slug: str
) -> None:
    offering = registry.offerings()[slug]
    plain = kubernetes_view(offering, _plans(offering)[-1], offering.default_version)
    view = replace(plain, children=(*plain.children, *more_of(offering)), spec=list(specs_of(offering))[-1])
    rendered = manifests(driver_of(offering), view)
    answers = [
        [client.apply(_kind(offering, item), _placed(item, namespace), force=False) for item in rendered]
        for _time in range(3)
    ]
    versions = [[item["metadata"]["resourceVersion"] for item in answer] for answer in answers]
    written_again = {item["kind"] for item, a, b in zip(rendered, *versions[:2], strict=True) if a != b}
    assert written_again <= WRITTEN_WITH_THE_SECOND
    assert versions[1] == versions[2]
    assert {item["metadata"].get("generation", 1) for answer in answers for item in answer} == {1}
    for item in reversed(rendered):
        assert client.delete(_kind(offering, item), namespace, item["metadata"]["name"])
    for kind in driver_of(offering).kinds:
        assert client.list(kind, namespace=namespace)[0] == []


@pytest.mark.parametrize("slug", [offering.slug for offering in SOLD])
def test_a_field_that_nobody_knows_is_refused(client: Client, crds: Installed, namespace: str, slug: str) -> None:
    """A check that can't fail is a defect."""
    offering = registry.offerings()[slug]
    view = kubernetes_view(offering, offering.default_plan, offering.default_version)
    item = manifests(driver_of(offering), view)[-1]
    if _kind(offering, item) not in crds.published:
        pytest.skip("ARCHIPEL_CRDS names no folder with this kind: a permissive one stands in")
    wrong = {**item, "spec": {**item["spec"], "instancez": 3}}
    with pytest.raises(Refused, match="instancez"):
        client.apply(_kind(offering, item), _placed(wrong, namespace), force=False, dry_run=True)


def _refusal(client: Client, kind: ObjectKind, item: Manifest) -> str:
    """Return what the API server says to a manifest; empty where it takes it. Nothing is made."""
    try:
        client.apply(kind, item, force=False, dry_run=True)
    except Refused as error:
        return f"{item['kind']} {item['metadata']['name']}: {error}"
    return ""


def _kind(offering: Offering, item: Manifest) -> ObjectKind:
    kinds = driver_of(offering).kinds
    return next(kind for kind in kinds if (kind.api_version, kind.kind) == (item["apiVersion"], item["kind"]))


def _placed(item: Manifest, namespace: str) -> Manifest:
    return {**item, "metadata": {**item["metadata"], "namespace": namespace}}
