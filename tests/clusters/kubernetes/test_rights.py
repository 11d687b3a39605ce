"""The portal's account: its file in deploy/ is what the offerings need now, and nothing that would give it more."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from portal.clusters.backends.kubernetes import rights
from portal.clusters.management.commands import clusterrole
from portal.core import registry
from portal.core.drivers.kubernetes import SECRET, KubernetesDriver, ObjectKind

FILE = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes" / "clusterrole.yaml"


def verbs_on(group: str, resource: str) -> set[str]:
    rules = rights.rules()
    return {
        verb for rule in rules if group in rule["apiGroups"] and resource in rule["resources"] for verb in rule["verbs"]
    }


def named() -> list[str]:
    """Return the offerings that the file's head names."""
    line = next(line for line in FILE.read_text().splitlines() if line.startswith("# Offerings: "))
    return line.removeprefix("# Offerings: ").split(", ")


def test_the_file_is_what_the_command_prints_for_the_offerings_that_it_names() -> None:
    assert {"postgresql", "valkey"} <= set(named()) <= set(rights.offerings())
    assert FILE.read_text() == clusterrole.text(named()), "manage.py clusterrole > deploy/kubernetes/clusterrole.yaml"
    assert list(yaml.safe_load_all(FILE.read_text())) == rights.documents(named())
    assert clusterrole.text() == clusterrole.text(rights.offerings())


def test_another_offering_changes_what_the_command_prints_and_not_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    class Driver(KubernetesDriver):
        kinds, operator = (ObjectKind("ducks.example", "v1", "Pond", "ponds"),), "Nobody"

    another: Any = dataclasses.replace(registry.offerings()["valkey"], slug="duck", drivers={"kubernetes": Driver()})
    found = {**registry.offerings(), "duck": another}
    monkeypatch.setattr(registry, "offerings", lambda: found)
    assert "# Offerings: duck, postgresql, valkey" in clusterrole.text()
    assert "patch" in verbs_on("ducks.example", "ponds")
    assert FILE.read_text() == clusterrole.text(named())


def test_every_kind_of_every_offering_is_in_it() -> None:
    needed = {"get", "list", "watch", "create", "patch", "delete"}
    drivers = [
        offering.drivers["kubernetes"] for offering in registry.offerings().values() if "kubernetes" in offering.drivers
    ]
    assert drivers
    for driver in drivers:
        for kind in driver.kinds:  # type: ignore[union-attr]
            assert needed <= verbs_on(kind.group, kind.plural), kind.key
    assert verbs_on(SECRET.group, SECRET.plural) == {*needed, "update"}
    assert not verbs_on("apps", "deployments")


def test_nothing_in_it_lets_the_account_raise_itself() -> None:
    for rule in rights.rules():
        assert "*" not in rule["verbs"] + rule["apiGroups"] + rule["resources"]
        assert not {"escalate", "impersonate"} & set(rule["verbs"])
        if "bind" in rule["verbs"]:
            assert rule["resourceNames"] == [rights.FLUX]
    assert not {"create", "patch"} & verbs_on("rbac.authorization.k8s.io", "clusterroles")
    assert not verbs_on("rbac.authorization.k8s.io", "roles")
    assert not {"pods/exec", "pods/portforward", "nodes"} & {
        one for rule in rights.rules() for one in rule["resources"]
    }
