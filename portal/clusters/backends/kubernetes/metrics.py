"""A service's load: from the region's Prometheus where it has one, else one point from metrics.k8s.io.

Customers never send PromQL: namespace and handle are put into queries that are written here.
"""

import datetime
import json
import math
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import urllib3
from django.utils.translation import gettext as _

from portal.clusters.backends.base import Series
from portal.clusters.backends.kubernetes.client import Refused
from portal.clusters.backends.kubernetes.pods import Place, place_of
from portal.clusters.models import Cluster
from portal.core.drivers.kubernetes import Manifest
from portal.core.errors import PermanentError, TemporaryError

SECONDS = 2.0  # a browser waits
MOST_BYTES = 4 << 20
POINTS = 120  # of one series
_NAME = "archipel_series"  # a label
_UNITS = {"cpu_percent": "percent", "memory_bytes": "bytes", "disk_bytes": "bytes"}
_HANDLE = re.compile(r"[a-z0-9]{1,12}")
_NAMESPACE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
# cAdvisor's and the kubelet's own metrics; an empty container is the pod as a whole, which would count all twice.
_QUERIES = {
    "cpu_cores": 'sum(rate(container_cpu_usage_seconds_total{{namespace="{0}",pod=~"{1}",container!=""}}[5m]))',
    "memory_bytes": 'sum(container_memory_working_set_bytes{{namespace="{0}",pod=~"{1}",container!=""}})',
    "disk_bytes": 'sum(kubelet_volume_stats_used_bytes{{namespace="{0}",persistentvolumeclaim=~"{1}"}})',
}
_SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip


class NoSource(PermanentError):
    """The region has nothing that knows its services' load."""


def read(cluster_id: uuid.UUID, handle: str, *, since: datetime.datetime, until: datetime.datetime) -> list[Series]:
    """Return what is known of a service's load between two times.

    Raises TemporaryError where the source does not answer, NoSource where there is none.
    """
    place = place_of(cluster_id, handle)
    if place is None:
        return []
    settings = Cluster.objects.values_list("settings", flat=True).get(id=cluster_id)
    if url := str(settings.get("prometheus_url") or ""):
        return _of_prometheus(url, place, since, until)
    return _now(place)


# ---- Prometheus ------------------------------------------------------------------------------------------------------


def _of_prometheus(url: str, place: Place, since: datetime.datetime, until: datetime.datetime) -> list[Series]:
    if not (_HANDLE.fullmatch(place.handle) and _NAMESPACE.fullmatch(place.namespace)):
        raise PermanentError(_("This service has no figures."))
    pattern = f"(.+-)?{place.handle}(-.+)?"
    step = max(15, int((until - since).total_seconds() / POINTS))
    span = {"start": str(since.timestamp()), "end": str(until.timestamp()), "step": str(step)}
    query = " or ".join(_named(name, text.format(place.namespace, pattern)) for name, text in _QUERIES.items())
    told = _asked(url, {"query": query, **span})
    found = {str(one["metric"].get(_NAME)): _points(one["values"]) for one in told}
    cores, rest = found.pop("cpu_cores", []), {name: found[name] for name in _UNITS if name in found}
    return _series({**rest, "cpu_percent": _percent(cores, _granted(place.pods))})


def _named(name: str, query: str) -> str:
    """Return a query whose answer says which one it was: all are asked at once, as a browser waits."""
    return f'label_replace({query}, "{_NAME}", "{name}", "", "")'


def _asked(url: str, query: Mapping[str, str]) -> Any:
    """Ask Prometheus' HTTP API for a range. The address is an operator's, and may be a private one."""
    try:
        with urllib3.request(
            "GET", f"{url.rstrip('/')}/api/v1/query_range?{urlencode(query)}",
            timeout=urllib3.Timeout(total=SECONDS), redirect=False, retries=False, preload_content=False,
        ) as answer:  # fmt: skip
            body = answer.read(MOST_BYTES)
        told = json.loads(body)
        if answer.status == 200 and told["status"] == "success":
            return told["data"]["result"]
    except (urllib3.exceptions.HTTPError, OSError, ValueError, KeyError, TypeError) as error:
        raise TemporaryError(_("This region's metrics do not answer at the moment.")) from error
    raise TemporaryError(_("This region's metrics do not answer at the moment."))


def _points(values: Iterable[tuple[float, str]]) -> list[tuple[float, float]]:
    return [(float(at), float(value)) for at, value in values if math.isfinite(float(value))]


# ---- metrics.k8s.io --------------------------------------------------------------------------------------------------


def _now(place: Place) -> list[Series]:
    """Return one point: what the pods use now."""
    names = {pod["metadata"]["name"] for pod in place.pods}
    try:
        told = place.client.json(f"/apis/metrics.k8s.io/v1beta1/namespaces/{place.namespace}/pods")
    except Refused as error:
        raise NoSource(_("This region has no source of metrics. Its operator can add Prometheus.")) from error
    ours = [one for one in told.get("items") or () if one["metadata"]["name"] in names]
    if not ours:
        return []
    at = max(datetime.datetime.fromisoformat(one["timestamp"]).timestamp() for one in ours)
    usage = [container.get("usage") or {} for one in ours for container in one.get("containers") or ()]
    cores = sum(quantity(one.get("cpu", "0")) for one in usage)
    memory = sum(quantity(one.get("memory", "0")) for one in usage)
    return _series({"cpu_percent": _percent([(at, cores)], _granted(place.pods)), "memory_bytes": [(at, memory)]})


# ---- both ------------------------------------------------------------------------------------------------------------


def _series(found: Mapping[str, list[tuple[float, float]]]) -> list[Series]:
    return [Series(name, _UNITS[name], tuple(points)) for name, points in sorted(found.items()) if points]


def _percent(points: list[tuple[float, float]], cores: float) -> list[tuple[float, float]]:
    """Return a use in cores as the share of what was granted; of one core where nothing bounds it."""
    return [(at, 100 * value / (cores or 1.0)) for at, value in points]


def _granted(pods: Iterable[Manifest]) -> float:
    """Return how many cores the containers may use together."""
    limits = [
        (container.get("resources") or {}).get("limits") or {}
        for pod in pods
        for container in pod["spec"].get("containers", ())
    ]
    return sum(quantity(limit.get("cpu", "0")) for limit in limits)


def quantity(text: str) -> float:
    """Return the number that a Kubernetes quantity stands for: ``250m`` is 0.25, ``1Ki`` is 1024; 0 for none."""
    match = re.fullmatch(r"([0-9.]+(?:[eE]-?[0-9]+)?)([a-zA-Z]{0,2})", str(text))
    if match is None or match[2] not in _SUFFIXES:
        return 0.0
    return float(match[1]) * _SUFFIXES[match[2]]
