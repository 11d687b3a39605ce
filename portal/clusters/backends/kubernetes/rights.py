"""What the portal's account may do in a cluster, no more than it does: made from what drivers declare (README).

``manage.py clusterrole`` prints it for the offerings that there are. ``deploy/kubernetes/clusterrole.yaml`` holds it
for those that its head names, and a test compares the two; whoever adds another offering changes no file.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from portal.clusters.backends.kubernetes.watching import kinds_in_use
from portal.core import registry
from portal.core.drivers.kubernetes import MANAGED_BY, MANAGER, Manifest, ObjectKind, driver_of

NAMESPACE, ACCOUNT, FLUX = "archipel-system", "archipel", "archipel-flux"
_OBJECTS = ("get", "list", "watch", "create", "patch", "delete")  # what is rendered, and followed
_ONCE = ("get", "create", "patch", "delete")  # what a namespace gets when it is made
_LABELS = {"app.kubernetes.io/name": MANAGER}  # not managed-by: the account itself must not be within its reach
Rule = dict[str, list[str]]


def offerings() -> list[str]:
    """Return the slugs of the offerings that run on Kubernetes."""
    return sorted(slug for slug, offering in registry.offerings().items() if driver_of(offering.drivers))


def documents(slugs: Collection[str] | None = None) -> list[Manifest]:
    """Return all objects that a cluster gets before the portal can use it, in the order of making them.

    ``slugs``: of the offerings that are to run there; None: all.
    """
    return [
        _cluster_object("v1", "Namespace", NAMESPACE),
        _own("v1", "ServiceAccount", ACCOUNT),
        {
            **_own("v1", "Secret", f"{ACCOUNT}-token", {"kubernetes.io/service-account.name": ACCOUNT}),
            "type": "kubernetes.io/service-account-token",
        },
        {**_cluster_object("rbac.authorization.k8s.io/v1", "ClusterRole", ACCOUNT), "rules": rules(slugs)},
        {**_cluster_object("rbac.authorization.k8s.io/v1", "ClusterRole", FLUX), "rules": flux_rules()},
        _binding(),
        *_fence(),
    ]


def rules(slugs: Collection[str] | None = None) -> list[Rule]:
    """Return the rules of the portal's account, one per API group for each set of verbs."""
    return [
        *_of_kinds(kinds_in_use(slugs).values()),
        _rule("", ["secrets"], ["update"]),  # a new value where its rotation rises
        _rule("", ["namespaces", "resourcequotas", "limitranges", "serviceaccounts"], _ONCE),
        _rule("networking.k8s.io", ["networkpolicies"], [*_ONCE, "list"]),  # openings that are no longer wanted
        _rule("rbac.authorization.k8s.io", ["rolebindings"], _ONCE),
        {**_rule("rbac.authorization.k8s.io", ["clusterroles"], ["bind"]), "resourceNames": [FLUX]},
        _rule("", ["persistentvolumeclaims"], ["get", "list", "delete"]),  # what operators leave behind
        _rule("", ["pods", "events"], ["get", "list"]),
        _rule("", ["pods/log"], ["get"]),
        _rule("metrics.k8s.io", ["pods"], ["get", "list"]),
        _rule("storage.k8s.io", ["storageclasses"], ["get", "list"]),
    ]


def flux_rules() -> list[Rule]:
    """Return what a release may make in its own namespace, where the portal binds this role to ``archipel-flux``."""
    return [
        _rule("", ["configmaps", "persistentvolumeclaims", "secrets", "serviceaccounts", "services"], ["*"]),
        _rule("", ["pods"], ["get", "list", "watch"]),
        _rule("apps", ["deployments", "statefulsets"], ["*"]),
        _rule("apps", ["replicasets"], ["get", "list", "watch"]),
        _rule("batch", ["cronjobs", "jobs"], ["*"]),
        _rule("policy", ["poddisruptionbudgets"], ["*"]),
    ]


def _of_kinds(kinds: Iterable[ObjectKind]) -> Iterator[Rule]:
    groups: dict[str, set[str]] = {}
    for kind in kinds:
        groups.setdefault(kind.group, set()).add(kind.plural)
    for group, plurals in sorted(groups.items()):
        yield _rule(group, sorted(plurals), _OBJECTS)


def _rule(group: str, resources: list[str], verbs: Iterable[str]) -> Rule:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def _cluster_object(api_version: str, kind: str, name: str) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": dict(_LABELS)}}


def _own(api_version: str, kind: str, name: str, annotations: dict[str, str] | None = None) -> Manifest:
    found = _cluster_object(api_version, kind, name)
    found["metadata"] |= {"namespace": NAMESPACE} | ({"annotations": annotations} if annotations else {})
    return found


def _binding() -> Manifest:
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": NAMESPACE}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ACCOUNT}
    found = _cluster_object("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", ACCOUNT)
    return {**found, "roleRef": role, "subjects": [subject]}


def _fence() -> list[Manifest]:
    """Return what keeps the account's writes to namespaces that it has made: a role alone can't say that."""
    mine = f".metadata.?labels['{MANAGED_BY}'].orValue('') == '{MANAGER}'"
    user = f"request.userInfo.username == 'system:serviceaccount:{NAMESPACE}:{ACCOUNT}'"
    is_namespace = "request.resource.resource == 'namespaces'"
    checks: list[dict[str, Any]] = [
        {
            "expression": f"!({is_namespace}) || [object, oldObject].all(one, one == null || one{mine})",
            "message": f"{ACCOUNT} may change only namespaces that it has made",
        },
        {
            "expression": f"{is_namespace} || namespaceObject == null || namespaceObject{mine}",
            "message": f"{ACCOUNT} may write only in namespaces that it has made",
        },
    ]
    everything = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}
    policy = _cluster_object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", ACCOUNT)
    policy["spec"] = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [everything]},
        "matchConditions": [{"name": "of-the-portal", "expression": user}],
        "validations": checks,
    }
    binding = _cluster_object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", ACCOUNT)
    binding["spec"] = {"policyName": ACCOUNT, "validationActions": ["Deny"]}
    return [policy, binding]
