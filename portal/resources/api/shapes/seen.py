"""What is seen of a service: activity, log and metrics."""

from typing_extensions import TypedDict

from portal.accounts.names import account_id
from portal.clusters.backends.base import LogLine, Series
from portal.core import ids
from portal.core.api.shapes import Moment, moment, public_id
from portal.resources.models import Event


class EventJson(TypedDict):
    """A line of a service's activity."""

    id: str
    at: Moment
    severity: str
    reason: str
    message: str
    operation: str | None
    actor: str | None


class LogLineJson(TypedDict):
    """A line of a service's log, as text without control sequences."""

    at: Moment | None
    source: str
    text: str


class SeriesJson(TypedDict):
    """One metric over time: pairs of unix seconds and value, oldest first."""

    name: str
    unit: str
    points: list[tuple[float, float]]


def event_json(event: Event) -> EventJson:
    return {
        "id": ids.encode("evt", event.id),
        "at": moment(event.at),
        "severity": event.severity,
        "reason": event.reason,
        "message": event.message,
        "operation": public_id("op", event.operation_id),
        "actor": account_id(event.actor_id, by_machine=getattr(event, "by_machine", None)),
    }


def line_json(line: LogLine) -> LogLineJson:
    return {"at": moment(line.at), "source": line.source, "text": line.text}


def series_json(series: Series) -> SeriesJson:
    return {"name": series.name, "unit": series.unit, "points": list(series.points)}
