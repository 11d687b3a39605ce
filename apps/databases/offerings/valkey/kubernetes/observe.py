"""From the operator's objects to what a customer reads: conditions, endpoints, facts. Pure.

Only the conditions of a ``ValkeyCluster`` tell an ``observedGeneration``: ``state`` alone may be about an older wish.
"""

from typing import Any

from apps.databases.offerings.valkey.kubernetes import cluster
from apps.databases.offerings.valkey.kubernetes.certificates import tls_secret
from apps.databases.offerings.valkey.kubernetes.kinds import CERTIFICATE, CLUSTER, PORT, service_host
from portal.core.conditions import Condition, Status, not_ready, ready
from portal.core.drivers import ChildObservation, ChildView, Endpoint, Observation, View
from portal.core.drivers.kubernetes import Manifest, condition, find, is_current

NO_BACKUPS = "Services in this region have no backups: the operator makes none. Copy the keys with valkey-cli --rdb."
_WORDS = 200  # characters of the operator's own text in a message
_ON_THE_WAY = {
    "Initializing": ("Creating", "Waiting for the operator to make the nodes."),
    "Reconciling": ("Reconciling", "Waiting for the nodes to take up what was asked and to find together."),
    "Degraded": ("Degraded", "Not all nodes are there; the platform is bringing them up."),
    "Ready": ("Reconciling", "Waiting for the operator to take the change up."),
}


def observe(view: View, objects: list[Manifest]) -> Observation:
    """Judge the objects as last seen."""
    seen = find(objects, CLUSTER, view.handle)
    is_ready = view.running and _is_ready(seen)
    settled = is_ready if view.running else seen is None
    return Observation(
        conditions=tuple(_conditions(view, seen, objects)),
        facts=_facts(view, seen, is_ready=is_ready),
        endpoints=_endpoints(view, seen),
        children={child.id: _child(view, child, seen, is_ready=is_ready) for child in view.children},
        settled=settled,
    )


def _status(seen: Manifest | None) -> dict[str, Any]:
    return (seen or {}).get("status") or {}


def _is_ready(seen: Manifest | None) -> bool:
    """Whether all that is asked for now is there."""
    said, wanted = condition(seen, "Ready"), ((seen or {}).get("spec") or {}).get("shards")
    return (
        _status(seen).get("state") == "Ready"
        and said.get("status") == "True"
        and "observedGeneration" in said
        and is_current(seen, said)
        and _status(seen).get("readyShards") == wanted
    )


def _was_ready(view: View) -> bool:
    return "release" in view.facts


# ---- conditions ------------------------------------------------------------------------------------------------------


def _conditions(view: View, seen: Manifest | None, objects: list[Manifest]) -> list[Condition]:
    if not view.running:
        return _stopped(seen)
    if _is_ready(seen):
        return [ready(), *_warnings(seen)]
    if _waits_for_certificate(view, objects):
        return [not_ready("WaitingForCertificate", "Waiting for the service's certificate.")]
    state = str(_status(seen).get("state") or "")
    if state == "Failed" and is_current(seen, condition(seen, "Ready")):
        message = f"Valkey does not start{_said(seen)}. Undo your last change; else an operator has to help."
        return [not_ready("Failed", message), Condition("Stalled", Status.TRUE, "Failed", message)]
    if state == "Degraded" and _serves(view, seen):
        message = f"A node is missing{_said(seen)}; keys can be reached, and the platform is bringing it up."
        return [ready(), Condition("NodesMissing", Status.TRUE, "NodesMissing", message)]
    return [_on_the_way(view, seen, state)]


def _serves(view: View, seen: Manifest | None) -> bool:
    """Whether all keys can be reached although some node is missing."""
    parts = [condition(seen, kind) for kind in ("ClusterFormed", "SlotsAssigned")]
    return _was_ready(view) and all(part.get("status") == "True" and is_current(seen, part) for part in parts)


def _waits_for_certificate(view: View, objects: list[Manifest]) -> bool:
    """Whether a new service has no certificate yet: no node starts before, whatever the operator says meanwhile."""
    certificate = find(objects, CERTIFICATE, tls_secret(view.handle))
    return not _was_ready(view) and condition(certificate, "Ready").get("status") != "True"


def _on_the_way(view: View, seen: Manifest | None, state: str) -> Condition:
    if not state:
        return not_ready("Waiting", "Waiting for the Valkey operator to take the order up.")
    reason, message = _ON_THE_WAY.get(state, ("Waiting", "Waiting for the Valkey operator."))
    there, wanted = int(_status(seen).get("readyShards") or 0), cluster.shards(view)
    if wanted > 1 and there:
        message = f"{message} {there} of {wanted} shards are ready."
    return not_ready(reason, f"{message}{_said(seen)}" if state == "Degraded" else message)


def _stopped(seen: Manifest | None) -> list[Condition]:
    """Judge a service that is to stand still: its nodes are taken away, their volumes stay."""
    if seen is not None:
        return [not_ready("Stopping", "Valkey is writing everything out and stopping.")]
    words = "Address and logins are kept, and the data that is persisted."
    return [
        not_ready("Stopped", "The service is stopped. Start it to use it."),
        Condition("Stopped", Status.TRUE, "Stopped", words),
    ]


def _warnings(seen: Manifest | None) -> list[Condition]:
    said = condition(seen, "ConfigurationWarning")
    if said.get("status") != "True":
        return []
    text = " ".join(str(said.get("message") or "").split())[:_WORDS].rstrip(".")
    message = f"The operator warns of these settings: {text}."
    return [Condition("SettingsRefused", Status.TRUE, "ConfigurationWarning", message)]


def _said(seen: Manifest | None) -> str:
    text = " ".join(str(_status(seen).get("message") or "").split())[:_WORDS].rstrip(".")
    return f" ({text})" if text else ""


# ---- children and facts ----------------------------------------------------------------------------------------------


def _child(view: View, child: ChildView, seen: Manifest | None, *, is_ready: bool) -> ChildObservation:
    """Judge a login by the root object: the operator tells of none by itself."""
    if child.kind == "backups":
        if child.deleting:
            return ChildObservation("gone")
        return ChildObservation(child.state) if child.finished else ChildObservation("failed", NO_BACKUPS, "NoBackups")
    named = {user.get("name") for user in ((seen or {}).get("spec") or {}).get("users") or ()}
    if child.deleting:
        gone = (is_ready or not view.running) and child.name not in named
        return ChildObservation("gone") if gone else ChildObservation("pending", "It is being removed.", "Removing")
    if is_ready and child.name in named:
        return ChildObservation("ready")
    return ChildObservation("pending", "It waits until Valkey answers.", "Waiting")


def _facts(view: View, seen: Manifest | None, *, is_ready: bool) -> dict[str, Any]:
    """Return what is kept of this look. Once ready, always so: what holds data is never taken for empty."""
    image = str(((seen or {}).get("spec") or {}).get("image") or "")
    release = image.rpartition(":")[2] if is_ready else view.facts.get("release")
    found = {"release": release, "shards": _status(seen).get("readyShards") if view.running else None}
    return {name: value for name, value in found.items() if value is not None}


def _endpoints(view: View, seen: Manifest | None) -> tuple[Endpoint, ...]:
    """Return the one address, of all nodes, once the operator has begun."""
    if not _status(seen).get("state") and not _was_ready(view):
        return ()
    return (Endpoint("primary", service_host(view.handle, view.namespace), PORT, route="internal"),)
