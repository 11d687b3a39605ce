"""``state`` and ``health``: pure functions of what is asked and what was seen. Nothing else decides either word.

Both read the word before as well, for what no condition tells: that a service on its way comes from a stop.
"""

from portal.core import conditions
from portal.core.conditions import Condition, Status
from portal.resources.models import DeletionPolicy, Health, Resource, State


def refresh(resource: Resource) -> None:
    """Compute both words anew; whoever changes a row calls it before saving. Health follows the state."""
    resource.state = state_of(resource)
    resource.health = health_of(resource)


def state_of(resource: Resource) -> State:
    """Return where the service is in its life."""
    if resource.purged_at is not None:
        return State.PURGED
    if resource.deletion_requested_at is not None:
        in_bin = resource.deleted_at is not None and resource.deletion_policy != DeletionPolicy.WIPE
        return State.DELETED if in_bin else State.DELETING
    seen = {condition.type: condition for condition in conditions.load(resource.conditions)}
    if not resource.running:
        return State.STOPPED if _true(seen, "Stopped") else State.STOPPING
    if resource.is_settled and _true(seen, "Ready"):
        return State.RUNNING
    if _stuck(seen):
        return State.FAILED
    return _on_the_way(resource, seen)


def _on_the_way(resource: Resource, seen: dict[str, Condition]) -> State:
    if resource.origin and resource.origin.get("generation", 1) > resource.observed_generation:
        return State.RESTORING
    if resource.ready_once_at is None or resource.observed_generation == 0:
        return State.PROVISIONING  # until all that was ordered is there, though it may answer before that
    if _true(seen, "Stopped") or _reason(seen, "Ready") == "Starting":
        return State.STARTING
    if resource.is_settled:
        return State.RUNNING
    was_down = resource.state in (State.STOPPING, State.STOPPED, State.STARTING)
    return State.STARTING if was_down else State.UPDATING


def health_of(resource: Resource) -> Health:
    """Return how well the service serves; unknown where it should not serve, or not yet."""
    seen = {condition.type: condition for condition in conditions.load(resource.conditions)}
    if not resource.running or resource.deletion_requested_at is not None or resource.ready_once_at is None:
        return Health.UNKNOWN
    if resource.state == State.RESTORING:  # whatever answers meanwhile is not what was asked for
        return Health.UNAVAILABLE if resource.origin and resource.origin.get("in_place") else Health.UNKNOWN
    if not _true(seen, "Ready"):
        return Health.UNKNOWN if _comes_from_a_stop(resource) else Health.UNAVAILABLE
    return Health.DEGRADED if _impaired(seen) else Health.HEALTHY


def _comes_from_a_stop(resource: Resource) -> bool:
    """Whether it is being started and has not served since it stood still, so that nobody misses it."""
    return resource.state == State.STARTING and resource.health == Health.UNKNOWN and not resource.is_settled


def _impaired(seen: dict[str, Condition]) -> bool:
    """Whether something besides readiness is wrong: a failed apply, or any warning the offering adds."""
    failed_apply = "Synced" in seen and seen["Synced"].status is Status.FALSE
    warnings = set(seen) - {"Accepted", "Synced", "Ready", "Stopped", "UpdatePending"}
    return failed_apply or any(_true(seen, kind) for kind in warnings)


def _stuck(seen: dict[str, Condition]) -> bool:
    """Whether nothing will change by itself: the driver says Stalled, or the backend refused for good."""
    return _true(seen, "Stalled") or _reason(seen, "Synced") == "Refused"


def _true(seen: dict[str, Condition], kind: str) -> bool:
    return kind in seen and seen[kind].status is Status.TRUE


def _reason(seen: dict[str, Condition], kind: str) -> str:
    return seen[kind].reason if kind in seen else ""
