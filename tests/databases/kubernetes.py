"""A PostgreSQL on Kubernetes as a test has it: what the driver renders, with the status that its operator would write.

The statuses are CloudNativePG 1.30's, as its reference tells them: ``status.phase``, conditions ``Ready``,
``ContinuousArchiving`` and ``cnpg.io/hibernation``, ``applied`` with ``observedGeneration`` of databases and roles.
"""

import dataclasses
from typing import Any

from apps.databases.offerings.postgresql import OFFERING
from apps.databases.offerings.postgresql.kubernetes.driver import KubernetesPostgresql
from portal.core.drivers import Observation, View
from portal.core.drivers.kubernetes import Manifest
from tests.databases.conftest import view

SETTINGS = {"storage_class": "fast", "bucket_class": "backups", "s3_endpoint": "https://s3.example.org"}
HEALTHY = "Cluster in healthy state"
DRIVER = KubernetesPostgresql()
HA = OFFERING.plan("ha-8")
assert HA is not None


def on_kubernetes(release: str = "17.10", **changes: Any) -> View:
    """Make the view of a service in a namespace."""
    return view(release, **{"namespace": "prj-1", "settings": SETTINGS, "host": "", **changes})


def rendered(seen: View, kind: str) -> list[Manifest]:
    return [item for item in DRIVER.render(seen) if isinstance(item, dict) and item["kind"] == kind]


def cluster(seen: View) -> Manifest:
    return rendered(seen, "Cluster")[0]


def conditions_of(observation: Observation) -> dict[str, str]:
    return {condition.type: condition.status.value for condition in observation.conditions}


def message_of(observation: Observation) -> str:
    return next(condition.message for condition in observation.conditions if condition.type == "Ready")


def well(seen: View, **changes: Any) -> dict[str, Any]:
    """Return the status of a cluster that is as it should be; a value of None takes a field away."""
    nodes = seen.plan.nodes
    status: dict[str, Any] = {
        "phase": HEALTHY,
        "instances": nodes,
        "readyInstances": nodes,
        "currentPrimary": f"{seen.handle}-1",
        "targetPrimary": f"{seen.handle}-1",
        "image": f"ghcr.io/cloudnative-pg/postgresql:{seen.release}",
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContinuousArchiving", "status": "True"}],
        **changes,
    }
    return {name: value for name, value in status.items() if value is not None}


def there(seen: View, status: dict[str, Any] | None = None, **of_kind: dict[str, Any]) -> list[Manifest]:
    """Return the objects as an operator would answer them; ``of_kind`` is laid over a kind's status."""
    answers: dict[str, dict[str, Any]] = {
        "Cluster": well(seen) if status is None else status,
        "DatabaseRole": {"applied": True, "observedGeneration": 1},
        "Database": {"applied": True, "observedGeneration": 1},
        "Pooler": {"phase": "active"},
        "Backup": {"phase": "completed", "backupId": "20261125T013000", "stoppedAt": "2026-11-25T01:31:00Z"},
    }
    found = []
    for item in (one for one in DRIVER.render(seen) if isinstance(one, dict)):
        meta = {**item["metadata"], "generation": 1, "resourceVersion": "7", "uid": item["metadata"]["name"]}
        answer = {**answers.get(item["kind"], {}), **of_kind.get(item["kind"], {})}
        found.append({**item, "metadata": meta, "status": answer})
    return found


def looked(seen: View, objects: list[Manifest], times: int = 3) -> Observation:
    """Look as often as turns would, each with the facts of the one before."""
    for _turn in range(times):
        observation = DRIVER.observe(seen, objects)
        endpoints = [endpoint.as_json() for endpoint in observation.endpoints]
        seen = dataclasses.replace(seen, facts={**observation.facts, "endpoints": endpoints})
    return observation


def running(seen: View) -> View:
    """Return the view of a service that has come to run."""
    found = looked(seen, there(seen))
    endpoints = [endpoint.as_json() for endpoint in found.endpoints]
    return dataclasses.replace(seen, facts={**found.facts, "endpoints": endpoints})
