"""The control plane is a real one: it does what played API servers are known to get wrong."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from kubernetes import client as official
from kubernetes import config

from tests.cluster import crds as definitions
from tests.cluster.control_plane import Answered, ControlPlane

pytestmark = pytest.mark.engine
APPLY = "application/apply-patch+yaml"
ROOT = "kube-root-ca.crt"  # put into each namespace by a controller
MERGE = "application/merge-patch+json"


def _map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def _cluster(name: str, **spec: Any) -> dict[str, Any]:
    kind = {"apiVersion": definitions.CLUSTER.api_version, "kind": definitions.CLUSTER.kind}
    return {**kind, "metadata": {"name": name}, "spec": {"instances": 3, "storage": {"size": "1Gi"}, **spec}}


class Maps:
    """Config maps of one namespace."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.call, self.path = control_plane.call, f"/api/v1/namespaces/{namespace}/configmaps"

    def apply(self, name: str, manager: str, more: str = "", **data: str) -> Any:
        path = f"{self.path}/{name}?fieldManager={manager}{more}"
        return self.call("PATCH", path, _map(name, **data), content=APPLY)


@pytest.fixture
def maps(control_plane: ControlPlane, namespace: str) -> Maps:
    return Maps(control_plane, namespace)


def test_two_managers_of_one_field_are_in_conflict_until_one_insists(maps: Maps) -> None:
    maps.apply("shared", "first", size="1")

    with pytest.raises(Answered, match='conflict with "first"') as refused:
        maps.apply("shared", "second", size="2")
    taken = maps.apply("shared", "second", "&force=true", size="2")
    again = maps.apply("shared", "second", size="2")

    assert (refused.value.status, taken["data"]) == (409, {"size": "2"})
    assert again["metadata"]["resourceVersion"] == taken["metadata"]["resourceVersion"], "the same again is no change"


def test_a_field_that_its_manager_no_longer_names_is_taken_away_and_anothers_stays(maps: Maps) -> None:
    maps.apply("own", "first", a="1", b="2")
    maps.apply("own", "second", c="3")

    assert maps.apply("own", "first", a="1")["data"] == {"a": "1", "c": "3"}


def test_a_dry_run_answers_and_changes_nothing(maps: Maps) -> None:
    assert maps.apply("dry", "first", "&dryRun=All", a="1")["data"] == {"a": "1"}

    with pytest.raises(Answered, match="not found"):
        maps.call("GET", f"{maps.path}/dry")


def test_a_typo_in_an_operators_object_is_refused_where_its_schema_is_published(
    control_plane: ControlPlane, crds: definitions.Installed, namespace: str
) -> None:
    path = f"/apis/{definitions.CLUSTER.api_version}/namespaces/{namespace}/clusters?fieldValidation=Strict"
    assert control_plane.call("POST", path, _cluster("right"))["spec"]["instances"] == 3
    if definitions.CLUSTER not in crds.published:
        loose = control_plane.call("POST", path, _cluster("typo", instancez=3))
        assert loose["spec"]["instancez"] == 3, "a kind that takes any field keeps it"
        return

    with pytest.raises(Answered, match=r'unknown field "spec\.instancez"') as unknown:
        control_plane.call("POST", path, _cluster("typo", instancez=3))
    with pytest.raises(Answered, match=r"spec\.instances") as wrong:
        control_plane.call("POST", path, _cluster("wrong", instances="three"))

    assert (unknown.value.status, wrong.value.status) == (400, 422)


def test_a_status_is_written_apart_from_the_spec_and_leaves_the_generation(
    control_plane: ControlPlane, crds: definitions.Installed, namespace: str
) -> None:
    path = f"/apis/{definitions.CLUSTER.api_version}/namespaces/{namespace}/clusters"
    control_plane.call("POST", path, {**_cluster("one"), "status": {"phase": "ignored"}})
    patch = {"spec": {"instances": 5}, "status": {"phase": "Setting up primary"}}

    told = control_plane.call("PATCH", f"{path}/one/status", patch, content=MERGE)
    resized = control_plane.call("PATCH", f"{path}/one", patch, content=MERGE)

    assert (told["spec"]["instances"], told["status"]["phase"]) == (3, "Setting up primary")
    assert (told["metadata"]["generation"], resized["metadata"]["generation"]) == (1, 2)


def test_a_watch_gives_what_there_is_then_a_bookmark_to_go_on_from_and_then_what_changes(
    control_plane: ControlPlane, maps: Maps
) -> None:
    maps.apply("seen", "first", a="1")
    initial = "&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
    first = _watched(control_plane, f"{maps.path}?watch=true{initial}&timeoutSeconds=1")
    bookmark = first[1]["object"]["metadata"]["resourceVersion"]
    maps.apply("seen", "first", a="2")
    maps.call("DELETE", f"{maps.path}/seen")

    later = _watched(control_plane, f"{maps.path}?watch=true&resourceVersion={bookmark}&timeoutSeconds=1")

    assert [event["type"] for event in first[:2]] == ["ADDED", "BOOKMARK"]
    assert [event["type"] for event in later] == ["MODIFIED", "DELETED"]


def _watched(control_plane: ControlPlane, path: str) -> list[Any]:
    events = list(control_plane.watch(path))
    return [event for event in events if event["object"]["metadata"].get("name") != ROOT]


def test_the_audit_log_counts_the_requests_of_each_user_and_rights_are_asked(
    control_plane: ControlPlane, namespace: str
) -> None:
    mark = control_plane.audit.mark()
    with _client(control_plane.kubeconfig("stranger", ("visitors",))) as stranger:
        with pytest.raises(official.ApiException) as refused:
            official.CoreV1Api(stranger).list_namespaced_secret(namespace)
    with _client(control_plane.kubeconfig()) as admin:
        official.CoreV1Api(admin).list_namespaced_secret(namespace)

    assert refused.value.status == 403
    [request] = control_plane.audit.requests(since=mark, user="stranger")
    assert (request.verb, request.resource, request.namespace, request.status) == ("list", "secrets", namespace, 403)
    assert len(control_plane.audit.requests(since=mark, agent="OpenAPI-Generator", namespace=namespace)) == 2


def test_a_service_accounts_token_is_taken(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.call("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": "robot"}})

    with _client(control_plane.kubeconfig_for(namespace, "robot")) as robot:
        review = official.AuthenticationV1Api(robot).create_self_subject_review({})

    assert review.status.user_info.username == f"system:serviceaccount:{namespace}:robot"


def test_the_controllers_keep_quotas_and_take_away_what_belongs_to_the_deleted(
    control_plane: ControlPlane, namespace: str, maps: Maps, eventually: Callable[..., Any]
) -> None:
    path = f"/api/v1/namespaces/{namespace}"
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"count/configmaps": "3"}}}
    control_plane.call("POST", f"{path}/resourcequotas", quota)
    used = {"count/configmaps": "1"}  # the cluster's own
    eventually(lambda: control_plane.call("GET", f"{path}/resourcequotas/few").get("status", {}).get("used") == used)
    owner = maps.apply("owner", "first")["metadata"]["uid"]
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner}
    owned = {"metadata": {"name": "owned", "ownerReferences": [reference]}}
    control_plane.call("POST", maps.path, owned)

    with pytest.raises(Answered, match="exceeded quota: few"):
        maps.apply("third", "first")
    control_plane.call("DELETE", f"{maps.path}/owner")

    eventually(lambda: [item["metadata"]["name"] for item in maps.call("GET", maps.path)["items"]] == [ROOT])


def test_a_claim_and_its_namespace_can_be_deleted(control_plane: ControlPlane, eventually: Callable[..., Any]) -> None:
    made = control_plane.call("POST", "/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
    path = f"/api/v1/namespaces/{made['metadata']['name']}"
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    control_plane.call("POST", f"{path}/persistentvolumeclaims", {"metadata": {"name": "disk"}, "spec": spec})

    control_plane.call("DELETE", f"{path}/persistentvolumeclaims/disk")
    eventually(lambda: not control_plane.call("GET", f"{path}/persistentvolumeclaims")["items"])
    control_plane.call("DELETE", path)

    eventually(lambda: path.rsplit("/", 1)[1] not in _namespaces(control_plane), within=60)


def _namespaces(control_plane: ControlPlane) -> set[str]:
    return {item["metadata"]["name"] for item in control_plane.call("GET", "/api/v1/namespaces")["items"]}


def test_a_killed_api_server_comes_back_on_its_port_with_all_objects(control_plane: ControlPlane, maps: Maps) -> None:
    kept = maps.apply("kept", "first", a="1")["metadata"]["uid"]

    control_plane.kill()
    with pytest.raises(OSError, match="refused"):
        maps.call("GET", f"{maps.path}/kept")
    control_plane.start_again()
    expired = list(control_plane.watch(f"{maps.path}?watch=true&resourceVersion=1&timeoutSeconds=1"))

    assert maps.call("GET", f"{maps.path}/kept")["metadata"]["uid"] == kept
    assert [(event["type"], event["object"].get("code")) for event in expired] == [("ERROR", 410)]


def _client(kubeconfig: str) -> official.ApiClient:
    return config.new_client_from_config_dict(yaml.safe_load(kubeconfig))
