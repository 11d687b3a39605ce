"""What the API says of services, their parts and operations: one typed function per object, nothing secret in any."""

from portal.resources.api.shapes.children import ChildJson, DownloadLinkJson, child_json
from portal.resources.api.shapes.conditions import ConditionJson, conditions_json
from portal.resources.api.shapes.operations import ChildRef, OperationJson, ProgressJson, StepJson, operation_json
from portal.resources.api.shapes.quotes import QuoteJson, quote_json
from portal.resources.api.shapes.seen import EventJson, LogLineJson, SeriesJson, event_json, line_json, series_json
from portal.resources.api.shapes.services import (
    BackupJson,
    EndpointJson,
    OperationRef,
    ServiceJson,
    operation_ref,
    service_json,
    urn,
    visible,
)

__all__ = [
    "BackupJson",
    "ChildJson",
    "ChildRef",
    "ConditionJson",
    "DownloadLinkJson",
    "EndpointJson",
    "EventJson",
    "LogLineJson",
    "OperationJson",
    "OperationRef",
    "ProgressJson",
    "QuoteJson",
    "SeriesJson",
    "ServiceJson",
    "StepJson",
    "child_json",
    "conditions_json",
    "event_json",
    "line_json",
    "operation_json",
    "operation_ref",
    "quote_json",
    "series_json",
    "service_json",
    "urn",
    "visible",
]
