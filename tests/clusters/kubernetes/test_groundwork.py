"""What a namespace holds: pure, from limits and settings."""

import uuid
from typing import Any

from portal.clusters.backends.base import Tenancy
from portal.clusters.backends.kubernetes.groundwork import KINDS, of
from portal.clusters.backends.kubernetes.settings import ClusterSettings
from portal.core.drivers.kubernetes import HANDLE_LABEL, MANAGED_BY, PROJECT_LABEL
from portal.projects.quotas import Limits

PLACE = Tenancy("prj-1", uuid.UUID(int=1), uuid.UUID(int=2))
NONE = Limits({}, {"services": 200})


def objects(limits: Limits = NONE, **settings: Any) -> dict[str, Any]:
    found = {}
    for kind, manifest in of(PLACE, limits, ClusterSettings(**settings)):
        assert kind in KINDS
        found[f"{kind.kind} {manifest['metadata']['name']}"] = manifest
    return found


def test_everything_is_labelled_as_the_projects_and_no_services() -> None:
    found = objects()
    assert next(iter(found)) == "Namespace prj-1"
    for manifest in found.values():
        labels = manifest["metadata"]["labels"]
        assert (labels[MANAGED_BY], labels[PROJECT_LABEL]) == ("archipel", str(PLACE.project_id))
        assert HANDLE_LABEL not in labels
        assert (manifest["kind"] == "Namespace") == ("namespace" not in manifest["metadata"])


def test_the_lower_limit_counts_with_room_and_what_is_unlimited_is_not_named() -> None:
    limits = Limits({"vcpu": 4, "storage_gib": 10}, {"services": 2, "vcpu": 9})
    hard = objects(limits)["ResourceQuota archipel"]["spec"]["hard"]
    assert hard == {"pods": "32", "persistentvolumeclaims": "32", "requests.cpu": "6", "requests.storage": "15Gi"}


def test_nothing_goes_in_or_out_but_what_a_rule_names() -> None:
    rules = {name: one["spec"] for name, one in objects().items() if one["kind"] == "NetworkPolicy"}
    assert rules.pop("NetworkPolicy archipel-deny") == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    for name, rule in rules.items():
        for way in ("ingress", "egress"):
            assert (way.capitalize() in rule["policyTypes"]) == (way in rule)
            for opening in rule.get(way, ()):
                assert opening["from" if way == "ingress" else "to"], name
                anywhere = any(peer.get("ipBlock", {}).get("cidr") == "0.0.0.0/0" for peer in opening.get("to", ()))
                assert not anywhere or (opening["ports"] and rule["podSelector"]), name


def test_openings_follow_the_settings() -> None:
    found = objects(
        operator_namespaces=["cnpg-system"], monitoring_namespaces=["watch"], store_networks=["10.1.0.0/16"],
        dns_namespace="dns",
    )  # fmt: skip
    operators = found["NetworkPolicy archipel-operators"]["spec"]
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "cnpg-system"}}}
    assert operators["ingress"] == [{"from": [peer]}]
    assert found["NetworkPolicy archipel-monitoring"]["spec"]["policyTypes"] == ["Ingress"]
    assert found["NetworkPolicy archipel-stores"]["spec"]["egress"][0]["to"] == [{"ipBlock": {"cidr": "10.1.0.0/16"}}]
    names = found["NetworkPolicy archipel-names"]["spec"]["egress"][0]
    assert names["ports"] == [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]


def test_pods_must_be_restricted_unless_an_operator_says_otherwise() -> None:
    label = "pod-security.kubernetes.io/enforce"
    assert objects()["Namespace prj-1"]["metadata"]["labels"][label] == "restricted"
    found = objects(pod_security="baseline")
    assert found["Namespace prj-1"]["metadata"]["labels"][label] == "baseline"


def test_without_networks_the_stores_address_is_opened_and_no_more() -> None:
    def opened(**settings: Any) -> Any:
        return objects(bucket_class="b", **settings)["NetworkPolicy archipel-stores"]["spec"]["egress"]

    inside = opened(s3_endpoint="https://rgw.rook-ceph.svc.cluster.local:8443")
    assert inside == [{"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "rook-ceph"}}}]}]
    outside = opened(s3_endpoint="https://s3.example.org")
    assert outside[0]["ports"] == [{"protocol": "TCP", "port": 443}]
    assert "NetworkPolicy archipel-stores" not in objects()
