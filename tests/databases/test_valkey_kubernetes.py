"""A Valkey on Kubernetes: what is asked of the Valkey project's operator, and what its answers come to."""

import dataclasses
from typing import Any

import pytest

from apps.databases.offerings.valkey import OFFERING
from apps.databases.offerings.valkey.kubernetes.driver import KubernetesValkey
from apps.databases.offerings.valkey.spec import ValkeySpec
from portal.core.drivers import Observation, View
from portal.core.drivers.kubernetes import Leftover, Manifest
from tests.databases.valkey import child, first_children, plan, view

DRIVER = KubernetesValkey()


def on_kubernetes(**changes: Any) -> View:
    fields = {"children": first_children(), "namespace": "prj-1", "settings": {"storage_class": "fast"}, "host": ""}
    return view(**{**fields, **changes})


def rendered(seen: View, kind: str = "ValkeyCluster") -> list[Manifest]:
    return [item for item in DRIVER.render(seen) if isinstance(item, dict) and item["kind"] == kind]


def spec(seen: View) -> dict[str, Any]:
    found: dict[str, Any] = rendered(seen)[0]["spec"]
    return found


def said(seen: View, state: str = "Ready", *, observed: int = 1, ready: str = "True", **more: Any) -> list[Manifest]:
    """Return the objects as an operator answers them at generation 1."""
    conditions = [{"type": "Ready", "status": ready, "observedGeneration": observed}, *more.pop("conditions", [])]
    status = {"state": state, "readyShards": spec(seen)["shards"], "conditions": conditions, **more}
    issued = {"conditions": [{"type": "Ready", "status": "True"}]}
    found = []
    for item in (one for one in DRIVER.render(seen) if isinstance(one, dict)):
        answer = {"ValkeyCluster": status}.get(item["kind"], issued)
        found.append({**item, "metadata": {**item["metadata"], "generation": 1}, "status": answer})
    return found


def conditions_of(observation: Observation) -> dict[str, str]:
    return {condition.type: condition.status.value for condition in observation.conditions}


def message_of(observation: Observation) -> str:
    return next(condition.message for condition in observation.conditions if condition.type == "Ready")


def test_nobody_comes_in_without_a_password_and_nothing_goes_in_clear_text() -> None:
    seen = on_kubernetes()
    default, admin = spec(seen)["users"]
    assert (default["name"], default["enabled"]) == ("default", False)
    assert admin["passwordSecret"]["keys"] == ["password"]
    assert admin["permissions"].startswith("+@all -@admin -@dangerous")
    named = spec(seen)["networking"]["tls"]["certificate"]["secretName"]
    issued = {item["spec"]["secretName"]: item["spec"] for item in rendered(seen, "Certificate")}
    assert "valkey-abcdefghijkl.prj-1.svc" in issued[named]["dnsNames"]
    assert issued[issued[named]["issuerRef"]["name"]]["isCA"], "its issuer signs by the service's own authority"


def test_patterns_stay_what_a_customer_wrote_and_a_login_that_goes_is_not_named() -> None:
    limited = child("users", "app", 3, access="read", keys=("cart:{{x}}:*",), channels=())
    leaving = child("users", "old", 4, deleting=True)
    users = spec(on_kubernetes(children=(*first_children(), limited, leaving)))["users"]
    assert [user["name"] for user in users] == ["default", "admin", "app"]
    assert users[2]["keys"] == {"readWrite": ["cart:{{x}}:*"]}
    assert "channels" not in users[2]
    words = users[2]["permissions"].split()
    assert words.index("-@dangerous") < words.index("+info"), "the order of the rules counts"


@pytest.mark.parametrize(
    ("slug", "values", "shards", "replicas", "spread"),
    [
        ("dev-1", {}, 1, 0, None),
        ("ha-8", {}, 1, 1, {"shard": {"mode": "Required"}}),
        ("dev-1", {"replicas": 2}, 1, 2, {"shard": {"mode": "Required"}}),
        ("dev-1", {"mode": "cluster"}, 3, 0, {"primaries": {"mode": "Preferred"}}),
    ],
)
def test_as_many_nodes_are_asked_for_as_are_billed(
    slug: str, values: dict[str, Any], shards: int, replicas: int, spread: dict[str, Any] | None
) -> None:
    seen = on_kubernetes(plan=plan(slug), spec=ValkeySpec(**values))
    found = spec(seen)
    assert (found["shards"], found["replicas"]) == (shards, replicas)
    assert found.get("scheduling", {}).get("node", {}).get("spread") == spread
    billed = OFFERING.quantities(seen.plan, seen.spec)["instance-seconds"]  # type: ignore[misc]
    assert billed == shards * (1 + replicas)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("aof", {"appendonly": "yes", "appendfsync": "everysec", "save": '""'}),
        ("rdb", {"appendonly": "no"}),
        ("both", {"appendonly": "yes", "appendfsync": "everysec"}),
        ("none", {"appendonly": "no", "save": '""'}),
    ],
)
def test_every_service_has_volumes_so_that_its_persistence_can_change(kind: str, wanted: dict[str, str]) -> None:
    found = spec(on_kubernetes(spec=ValkeySpec(persistence=kind)))  # type: ignore[arg-type]
    rest = {name: value for name, value in found["config"].items() if not name.startswith("maxmemory")}
    assert rest == wanted
    assert found["config"]["maxmemory"] == "768mb", "three quarters of the plan's memory"
    assert found["persistence"] == {"size": "5Gi", "storageClassName": "fast", "reclaimPolicy": "Retain"}


def test_a_restart_changes_the_pods_and_nothing_else() -> None:
    before, after = spec(on_kubernetes()), spec(on_kubernetes(restarts=2))
    assert after.pop("scheduling")["tolerations"][0]["value"] == "2"
    assert before == after


def test_a_stopped_service_has_no_nodes_and_keeps_volumes_certificate_and_passwords() -> None:
    running, stopped = on_kubernetes(), on_kubernetes(running=False)
    assert rendered(stopped) == []
    kept = [item for item in DRIVER.render(running) if not (isinstance(item, dict) and item["kind"] == "ValkeyCluster")]
    assert DRIVER.render(stopped) == kept
    swept = {item.kind.kind: item.selector for item in kept if isinstance(item, Leftover)}
    assert swept == {
        "Secret": "app.kubernetes.io/instance=abcdefghijkl",
        "PersistentVolumeClaim": "valkey.io/cluster=abcdefghijkl",
    }
    assert conditions_of(DRIVER.observe(stopped, said(running)))["Ready"] == "False"
    assert "Stopped" not in conditions_of(DRIVER.observe(stopped, said(running)))
    gone = DRIVER.observe(stopped, said(running)[:-1])
    assert conditions_of(gone)["Stopped"] == "True"
    assert gone.settled


def test_it_is_ready_when_state_condition_and_shards_say_so_about_this_wish() -> None:
    view = on_kubernetes()
    seen = DRIVER.observe(view, said(view))
    assert conditions_of(seen) == {"Ready": "True"}
    assert seen.settled
    assert seen.facts["release"] == "9.1.2"
    assert [(e.host, e.port, e.route, e.tls) for e in seen.endpoints] == [
        ("valkey-abcdefghijkl.prj-1.svc", 6379, "internal", True)
    ]
    assert {part.state for part in seen.children.values()} == {"ready"}


@pytest.mark.parametrize(
    ("state", "more", "words"),
    [
        ("Ready", {"observed": 0}, "Waiting for the operator to take the change up."),
        ("Ready", {"readyShards": 0}, "Waiting for the operator to take the change up."),
        ("Ready", {"ready": "False"}, "Waiting for the operator to take the change up."),
        ("Initializing", {"ready": "False"}, "Waiting for the operator to make the nodes."),
        ("Degraded", {"ready": "False", "message": "no machine is free"}, "Not all nodes are there"),
        ("Failed", {"ready": "False", "message": "bad config"}, "Valkey does not start (bad config)."),
    ],
)
def test_anything_short_of_that_is_not_ready_yet(state: str, more: dict[str, Any], words: str) -> None:
    view = on_kubernetes()
    seen = DRIVER.observe(view, said(view, state, **more))
    assert conditions_of(seen)["Ready"] == "False"
    assert message_of(seen).startswith(words)
    assert not seen.settled
    assert ("Stalled" in conditions_of(seen)) == (state == "Failed")
    assert {part.state for part in seen.children.values()} == {"pending"}


def test_a_new_service_waits_for_its_certificate_whatever_the_operator_says() -> None:
    view = on_kubernetes()
    objects = [one for one in said(view, "Failed", ready="False") if one["kind"] != "Certificate"]
    seen = DRIVER.observe(view, objects)
    assert message_of(seen) == "Waiting for the service's certificate."
    assert "Stalled" not in conditions_of(seen)
    old = dataclasses.replace(view, facts={"release": "9.1.2"})
    assert "Stalled" in conditions_of(DRIVER.observe(old, objects))


def test_a_missing_node_is_a_warning_while_all_keys_can_be_reached() -> None:
    view = on_kubernetes(plan=plan("ha-8"), facts={"release": "9.1.2"})
    whole = [{"type": kind, "status": "True", "observedGeneration": 1} for kind in ("ClusterFormed", "SlotsAssigned")]
    seen = DRIVER.observe(view, said(view, "Degraded", ready="False", conditions=whole))
    assert conditions_of(seen) == {"Ready": "True", "NodesMissing": "True"}
    assert not seen.settled
    lost = DRIVER.observe(view, said(view, "Degraded", ready="False", conditions=whole[:1]))
    assert conditions_of(lost)["Ready"] == "False"


def test_a_login_is_gone_once_the_operator_knows_it_no_more() -> None:
    leaving = child("users", "old", 4, deleting=True)
    before, after = on_kubernetes(), on_kubernetes(children=(*first_children(), leaving))
    assert DRIVER.observe(after, said(after)).children[leaving.id].state == "gone"
    assert DRIVER.observe(after, said(after, observed=0)).children[leaving.id].state == "pending"
    named = said(on_kubernetes(children=(*first_children(), dataclasses.replace(leaving, deleting=False))))
    assert DRIVER.observe(after, named).children[leaving.id].state == "pending"
    assert leaving.id not in DRIVER.observe(before, said(before)).children


def test_a_backup_fails_with_the_reason_at_once() -> None:
    asked = child("backups", "nightly", 5)
    view = on_kubernetes(children=(*first_children(), asked))
    found = DRIVER.observe(view, said(view)).children[asked.id]
    assert (found.state, found.reason) == ("failed", "NoBackups")
    assert not OFFERING.capabilities.backup.on("kubernetes")
    assert OFFERING.capabilities.backup.on("local")


def test_clients_of_several_nodes_verify_the_authority_and_follow() -> None:
    endpoint = {"component": "primary", "host": "valkey-abcdefghijkl.prj-1.svc", "port": 6379}
    facts = {"endpoints": [endpoint]}
    single, several = on_kubernetes(facts=facts), on_kubernetes(facts=facts, plan=plan("ha-8"))
    assert "Django" in {snippet.label for snippet in DRIVER.connect(single)[0].snippets}
    code = {snippet.label: snippet.code for snippet in DRIVER.connect(several)[0].snippets}
    assert set(code) == {"valkey-cli", "Python", "Node.js"}
    assert 'ssl_ca_certs="ca.pem", ssl_check_hostname=False' in code["Python"]
    assert "checkServerIdentity" in code["Node.js"]
    assert {connection.authority for connection in DRIVER.connect(several)} == {("tls", "ca.crt")}
