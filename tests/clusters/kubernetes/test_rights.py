"""The portal's account: its file in deploy/ is what the offerings need now, and nothing that would give it more."""

from pathlib import Path

import yaml

from portal.clusters.backends.kubernetes import rights
from portal.clusters.management.commands import clusterrole
from portal.core import registry
from portal.core.drivers.kubernetes import SECRET

FILE = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes" / "clusterrole.yaml"


def verbs_on(group: str, resource: str) -> set[str]:
    rules = rights.rules()
    return {
        verb for rule in rules if group in rule["apiGroups"] and resource in rule["resources"] for verb in rule["verbs"]
    }


def test_the_file_is_what_the_command_prints() -> None:
    assert FILE.read_text() == clusterrole.text(), "manage.py clusterrole > deploy/kubernetes/clusterrole.yaml"
    assert list(yaml.safe_load_all(FILE.read_text())) == rights.documents()


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
