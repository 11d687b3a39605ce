"""What the cluster itself warns of about a service's objects: no room for a pod, an image that can't be pulled …"""

import datetime
import re
from typing import Any

from portal.clusters.backends.base import EVENT, LogLine
from portal.clusters.backends.kubernetes.pods import Place
from portal.clusters.backends.local.logread import clean
from portal.core.drivers.kubernetes import Manifest

NEWEST = 20
LONGEST = 1_000  # characters
_PATH = "/api/v1/namespaces/{}/events"
_MOST = 500  # that the namespace's newest are looked for among; a cluster keeps them for an hour


def warnings(place: Place) -> list[LogLine]:
    """Return the newest warnings about a service's objects, oldest first."""
    query = {"fieldSelector": "type=Warning", "limit": str(_MOST)}
    found = place.client.json(_PATH.format(place.namespace), query).get("items") or ()
    lines = [_line(event) for event in found if _is_about(event, place.handle)]
    return sorted(lines, key=lambda line: line.at or datetime.datetime.min.replace(tzinfo=datetime.UTC))[-NEWEST:]


def _is_about(event: Manifest, handle: str) -> bool:
    """Whether an event is about an object of the service: all of them have its handle in their names, as a word."""
    return handle in re.split(r"[-.]", str((event.get("involvedObject") or {}).get("name", "")))


def _line(event: Manifest) -> LogLine:
    about = event.get("involvedObject") or {}
    count = (event.get("series") or {}).get("count") or event.get("count") or 1
    often = f" (×{count})" if count > 1 else ""
    text = f"WARNING {event.get('reason', '')}: {event.get('message', '')} [{about.get('kind')} {about.get('name')}]"
    return LogLine(_time(event), EVENT, " ".join(clean(text + often).split())[:LONGEST])


def _time(event: Manifest) -> datetime.datetime | None:
    """Return when it was last seen: which field says so depends on who wrote the event."""
    stamps: list[Any] = [(event.get("series") or {}).get("lastObservedTime"), event.get("lastTimestamp")]
    stamps += [event.get("eventTime"), event["metadata"].get("creationTimestamp")]
    stamp = next((stamp for stamp in stamps if stamp), None)
    return datetime.datetime.fromisoformat(stamp) if stamp else None
