"""Every Kubernetes driver: pure, in its own names, by reference to secrets, true to its operator's schemas."""

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from portal.core import conditions, registry
from portal.core.drivers import ChildView, GeneratedSecret, KubernetesDriver, View
from portal.core.drivers.kubernetes import DOMAIN, KEEP, MANAGED_BY, ClusterSecret, Leftover, Manifest, secret_name
from portal.core.offerings import Nature, Offering, Plan, Version
from portal.core.specs import inner_type, meta_of, validate
from tests.contracts import crds
from tests.contracts.test_rendering import view_of

SETTINGS = {
    "storage_class": "fast",
    "bucket_class": "backups",
    "s3_endpoint": "https://s3.example.org",
    "public_domain": "services.example.org",
}
KUBERNETES = [
    pytest.param(offering, plan, version, id=f"{offering.slug}-{version.line}-{plan.slug}")
    for offering in registry.offerings().values()
    if "kubernetes" in offering.drivers
    for plan, version in product(offering.plans, offering.versions)
    if "kubernetes" in plan.backends
]
every_plan_and_version = pytest.mark.parametrize(("offering", "plan", "version"), KUBERNETES)


def kubernetes_view(offering: Offering, plan: Plan, version: Version, **fields: object) -> View:
    """Return the view of a new service in a namespace of a cluster that has all that a cluster may have."""
    return view_of(offering, plan, version, **{"namespace": "prj-1", "settings": SETTINGS, "host": "", **fields})


def driver_of(offering: Offering) -> KubernetesDriver:
    driver: Any = offering.drivers["kubernetes"]
    return driver  # type: ignore[no-any-return]


def manifests(driver: KubernetesDriver, view: View) -> list[Manifest]:
    return [item for item in driver.render(view) if isinstance(item, dict)]


def specs_of(offering: Offering) -> Iterator[Any]:
    """Return the default settings, each setting changed alone, and all of them together."""
    changed = {name: value for name in offering.spec.model_fields if (value := _other(offering, name)) is not None}
    for values in ({}, *({name: value} for name, value in changed.items()), changed):
        spec, errors = validate(offering.spec, values)
        if spec is not None and not errors:
            yield spec


def _other(offering: Offering, name: str) -> Any:
    """Return a value that is not the default, and that the field takes."""
    info = offering.spec.model_fields[name]
    words = [value for value, _title in meta_of(info).choices]
    candidates = [*words[1:], True, 64, 512, 8, *re.findall(r"'([a-z][a-z-]*)'", str(inner_type(info)))[::-1]]
    for value in candidates:
        spec, errors = validate(offering.spec, {name: value})
        if spec is not None and not errors and value != info.default:
            return value
    return None


def test_every_driver_has_the_defaults_of_the_vocabulary() -> None:
    drivers = [type(driver_of(one)) for one in registry.offerings().values() if "kubernetes" in one.drivers]
    assert drivers
    assert [driver for driver in drivers if KubernetesDriver not in driver.__mro__] == [], "derive from it"


@every_plan_and_version
def test_rendering_is_pure(offering: Offering, plan: Plan, version: Version) -> None:
    view, driver = kubernetes_view(offering, plan, version, restarts=2), driver_of(offering)
    first, second = driver.render(view), driver.render(view)
    assert first == second
    first_objects = manifests(driver, view)
    assert json.dumps(first_objects, sort_keys=True) == json.dumps(manifests(driver, view), sort_keys=True)
    first_objects[0].clear()
    assert driver.render(view) == second, "what is rendered is shared with nobody"


@every_plan_and_version
def test_objects_have_the_services_own_names_and_nothing_of_the_platforms(
    offering: Offering, plan: Plan, version: Version
) -> None:
    view, driver = kubernetes_view(offering, plan, version), driver_of(offering)
    rendered = manifests(driver, view)
    known = {(kind.api_version, kind.kind) for kind in driver.kinds}
    assert rendered
    for item in rendered:
        meta = item["metadata"]
        assert meta["name"] == view.handle or meta["name"].startswith(f"{view.handle}-")
        assert len(meta["name"]) <= 63
        assert "namespace" not in meta
        assert not [name for name in meta.get("labels", {}) if name.startswith(DOMAIN) or name == MANAGED_BY]
        assert all(isinstance(value, str) for value in meta.get("annotations", {}).values())
        assert not [name for name in meta.get("annotations", {}) if name.startswith(DOMAIN) and name != KEEP]
        assert (item["apiVersion"], item["kind"]) in known
        assert "status" not in item
    names = [(item["kind"], item["metadata"]["name"]) for item in rendered]
    assert len(names) == len(set(names))
    leftovers = [item for item in driver.render(view) if isinstance(item, Leftover)]
    assert all(view.handle in leftover.selector for leftover in leftovers)
    assert view.handle in driver.pods(view.handle)
    assert driver.operator


@every_plan_and_version
def test_secrets_are_named_and_never_written(offering: Offering, plan: Plan, version: Version) -> None:
    view, driver = kubernetes_view(offering, plan, version), driver_of(offering)
    rendered = driver.render(view)
    text = json.dumps([item for item in rendered if isinstance(item, dict)])
    assert "{{" not in text
    assert not [item for item in manifests(driver, view) if item["kind"] == "Secret"]
    made = [item for item in rendered if isinstance(item, GeneratedSecret)]
    if offering.credentials_kind is not None:
        assert made
    for secret in made:
        assert secret_name(view.handle, secret.name) in text, "nobody reads it"
        if isinstance(secret, ClusterSecret):
            assert not set(secret.plain) & set(secret.keys)


@every_plan_and_version
def test_nothing_seen_is_not_ready_and_says_what_it_waits_for(offering: Offering, plan: Plan, version: Version) -> None:
    view, driver = kubernetes_view(offering, plan, version), driver_of(offering)
    bare = [{**item, "metadata": {**item["metadata"], "generation": 1}} for item in manifests(driver, view)]
    for objects in ([], bare):
        seen = driver.observe(view, objects)
        ready = conditions.find([c.as_json() for c in seen.conditions], "Ready")
        assert ready is not None
        assert ready.status is conditions.Status.FALSE
        assert ready.message
        assert not seen.settled
        assert {child.id for child in view.children} == set(seen.children)
        assert not [child for child in seen.children.values() if child.state in ("ready", "gone")]


@every_plan_and_version
def test_a_service_that_never_ran_stops_without_a_trace(offering: Offering, plan: Plan, version: Version) -> None:
    view, driver = kubernetes_view(offering, plan, version, running=False), driver_of(offering)
    kinds = {c.type: c.status for c in driver.observe(view, []).conditions}
    assert kinds.get("Ready") is conditions.Status.FALSE
    if offering.capabilities.stop.on("kubernetes"):
        assert kinds.get("Stopped") is conditions.Status.TRUE


@every_plan_and_version
def test_logins_connect_by_references_alone(offering: Offering, plan: Plan, version: Version) -> None:
    view, driver = kubernetes_view(offering, plan, version), driver_of(offering)
    assert driver.connect(view) == ()
    endpoint = {"component": "primary", "host": "box.prj-1.svc", "port": 12345, "usage": "primary", "tls": True}
    connections = driver.connect(replace(view, facts={"endpoints": [endpoint]}))
    if offering.credentials_kind is None:
        return
    made = {item.name for item in driver.render(view) if isinstance(item, GeneratedSecret)}
    assert sum(connection.main for connection in connections) == 1
    for connection in connections:
        assert connection.secret in made
        assert f"{{{{secret:{connection.secret}." in connection.uri
        assert "box.prj-1.svc:12345" in connection.uri
        assert connection.snippets


@every_plan_and_version
def test_what_is_rendered_holds_to_the_published_schemas(offering: Offering, plan: Plan, version: Version) -> None:
    driver, checked = driver_of(offering), 0
    kinds = {(kind.api_version, kind.kind): kind for kind in driver.kinds}
    for spec, running, more in product(specs_of(offering), (True, False), (False, True)):
        view = kubernetes_view(offering, plan, version, spec=spec, running=running)
        if more:
            view = replace(
                view, restarts=3, allow_list=("192.0.2.0/24",), children=(*view.children, *more_of(offering))
            )
        for item in manifests(driver, view):
            found = crds.faults(kinds[item["apiVersion"], item["kind"]], item)
            checked += found is not None
            assert not found, f"{item['kind']}: {found}"
    if not checked:
        pytest.skip("ARCHIPEL_CRDS names no folder with this operator's schemas; tests/cluster asks the API server")


def test_the_schemas_are_read_strictly() -> None:
    """A check that can't fail is a defect."""
    if not crds.FOLDER:
        pytest.skip("ARCHIPEL_CRDS names no folder")
    for slug, offering in registry.offerings().items():
        if "kubernetes" not in offering.drivers:
            continue
        driver = driver_of(offering)
        kinds = {(kind.api_version, kind.kind): kind for kind in driver.kinds}
        found = []
        for item in manifests(driver, kubernetes_view(offering, offering.default_plan, offering.default_version)):
            item["spec"] = {**item.get("spec", {}), "instancez": 3}
            found += crds.faults(kinds[item["apiVersion"], item["kind"]], item) or []
        assert any("instancez" in fault for fault in found), slug


def more_of(offering: Offering) -> list[ChildView]:
    """Return one more part of each kind, and one that is on its way out."""
    found = []
    for kind in offering.children:
        spec = kind.spec()
        for name, deleting in (("more", False), ("less", True)):
            child = ChildView(uuid.uuid5(uuid.NAMESPACE_URL, kind.slug + name), kind.slug, name, spec, 1, 0, deleting)
            if not (kind.nature is Nature.RUN and deleting):
                found.append(child)
    return found
