"""The lines of an inventory: written and read back, and when an object counts as unchanged."""

import json

from portal.clusters.backends.kubernetes.entries import Entry, digest_of, dump, load
from portal.core.drivers.kubernetes import CONFIG_MAP, ObjectKind

CLUSTER = ObjectKind("postgresql.cnpg.io", "v1", "Cluster", "clusters")


def test_lines_come_back_in_the_order_of_rendering() -> None:
    entries = [Entry(CONFIG_MAP, "z", 0, uid="1"), Entry(CLUSTER, "a", 1, keep=True), Entry(CONFIG_MAP, "b", 2)]
    stored = json.loads(json.dumps(dump(entries), sort_keys=True))
    assert list(stored) == ["postgresql.cnpg.io/v1/Cluster/a", "v1/ConfigMap/b", "v1/ConfigMap/z"]
    assert load(stored) == entries


def test_a_status_is_no_change_and_a_spec_is() -> None:
    entry = Entry(CLUSTER, "a")
    answer = {"metadata": {"uid": "u", "generation": 2, "resourceVersion": "10"}}
    entry.take(answer, "d")
    assert entry.is_at({"metadata": {"uid": "u", "generation": 2, "resourceVersion": "99"}})
    assert not entry.is_at({"metadata": {"uid": "u", "generation": 3, "resourceVersion": "10"}})
    assert not entry.is_at({"metadata": {"uid": "other", "generation": 2, "resourceVersion": "10"}})


def test_where_a_kind_counts_no_generations_every_version_is_a_change() -> None:
    entry = Entry(CONFIG_MAP, "a")
    entry.take({"metadata": {"uid": "u", "resourceVersion": "10"}}, "d")
    assert entry.is_at({"metadata": {"uid": "u", "resourceVersion": "10"}})
    assert not entry.is_at({"metadata": {"uid": "u", "resourceVersion": "11"}})


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest_of({"a": 1, "b": [1, 2]}) == digest_of({"b": [1, 2], "a": 1})
    assert digest_of({"a": 1, "b": [1, 2]}) != digest_of({"a": 1, "b": [2, 1]})
