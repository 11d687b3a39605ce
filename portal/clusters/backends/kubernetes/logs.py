"""A service's log: the newest lines of its pods' containers, and with them what the cluster itself warns of."""

import datetime
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

from django.utils.translation import gettext as _

from portal.clusters.backends.base import LogLine
from portal.clusters.backends.kubernetes.client import Refused
from portal.clusters.backends.kubernetes.events import warnings
from portal.clusters.backends.kubernetes.pods import Place, place_of
from portal.clusters.backends.local.logread import clean
from portal.core.drivers.kubernetes import Manifest
from portal.core.errors import TemporaryError

CONTAINERS = 12  # of one service whose logs are read, those of the newest pods
MOST_LINES = 10_000  # of one container, where lines before a time are looked for
MOST_BYTES = 4 << 20  # of one container
LONGEST = 4_000  # characters of a line
_STAMPED = re.compile(r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d) ?")


def tail(
    cluster_id: uuid.UUID,
    handle: str,
    *,
    since: datetime.datetime | None,
    until: datetime.datetime | None,
    limit: int,
) -> list[LogLine]:
    """Return the newest ``limit`` lines between two times and, with them, the newest warnings; oldest first.

    Raises TemporaryError where the cluster does not answer, or does not let the portal read.
    """
    place = place_of(cluster_id, handle)
    if place is None:
        return []
    try:
        lines = [line for line in _lines(place, since, until, limit) if _within(line.at, since, until)]
        told = [line for line in warnings(place) if _within(line.at, since, until)]
    except Refused as error:
        raise TemporaryError(_("The portal may not read logs in this region. Its operator can allow it.")) from error
    return sorted([*sorted(lines, key=_when)[-limit:], *told], key=_when)


def _when(line: LogLine) -> datetime.datetime:
    return line.at or datetime.datetime.min.replace(tzinfo=datetime.UTC)


def _within(at: datetime.datetime | None, since: datetime.datetime | None, until: datetime.datetime | None) -> bool:
    if at is None:
        return since is None
    return (since is None or at >= since) and (until is None or at <= until)


def _lines(
    place: Place, since: datetime.datetime | None, until: datetime.datetime | None, limit: int
) -> Iterator[LogLine]:
    query = {"timestamps": "true", "limitBytes": str(MOST_BYTES), "tailLines": str(MOST_LINES if until else limit)}
    if since is not None:
        query["sinceTime"] = since.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for pod, container, previous in _containers(place.pods)[:CONTAINERS]:
        asked = {**query, "container": container, **({"previous": "true"} if previous else {})}
        yield from _parsed(_read(place, pod, asked), f"{pod}/{container}")


def _containers(pods: list[Manifest]) -> list[tuple[str, str, bool]]:
    """Return pod, container and whether its predecessor is meant: of one that crashes again and again, both."""
    found = []
    for pod in pods:
        name, states = pod["metadata"]["name"], _states(pod)
        for container in pod["spec"].get("containers", ()):
            found.append((name, container["name"], False))
            if "waiting" in states.get(container["name"], {}).get("state", {}) and _has_run(states, container["name"]):
                found.append((name, container["name"], True))
    return found


def _states(pod: Manifest) -> dict[str, Any]:
    return {one["name"]: one for one in (pod.get("status") or {}).get("containerStatuses") or ()}


def _has_run(states: dict[str, Any], container: str) -> bool:
    return bool(states[container].get("restartCount"))


def _read(place: Place, pod: str, query: dict[str, str]) -> str:
    """Return a container's log; nothing where it has not begun, or is gone since."""
    try:
        return place.client.text(f"/api/v1/namespaces/{place.namespace}/pods/{pod}/log", query)
    except Refused as error:
        if error.status in (400, 404):
            return ""
        raise


def _parsed(text: str, source: str) -> Iterator[LogLine]:
    for line in text.splitlines():
        at, words = _stamped(line)
        yield LogLine(at, source, clean(readable(words))[:LONGEST])


def _stamped(line: str) -> tuple[datetime.datetime | None, str]:
    """Split off the time that the kubelet writes before each line (RFC 3339, nanoseconds)."""
    match = _STAMPED.match(line)
    if match is None:
        return None, line
    clock, fraction, zone = match.groups()
    stamp = f"{clock}{(fraction or '')[:7]}{'+00:00' if zone == 'Z' else zone}"
    try:
        return datetime.datetime.fromisoformat(stamp), line[match.end() :]
    except ValueError:
        return None, line


def readable(text: str) -> str:
    """Return a line that was written as JSON, as operators' and instance managers' are, in words; others as they are.

    CloudNativePG wraps PostgreSQL's own lines: ``{"level", "logger", "msg": "record", "record": {"error_severity",
    "message"}}``.
    """
    try:
        entry = json.loads(text) if text.startswith("{") else None
    except ValueError:
        return text
    if not isinstance(entry, dict) or not isinstance(entry.get("msg"), str):
        return text
    record = entry.get("record")
    if isinstance(record, dict) and isinstance(record.get("message"), str):
        return " ".join(str(record[key]) for key in ("error_severity", "message", "detail") if record.get(key))
    words = [str(entry.get("level", "")).upper(), entry["msg"], str(entry.get("error", ""))]
    return " ".join(word for word in words if word)
