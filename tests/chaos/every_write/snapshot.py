"""All that a portal holds, rows and files, without what two equal lives differ in: ids, handles, ports and times."""

import json
import re
from pathlib import Path
from typing import Any

from django.apps import apps
from django.core.serializers.json import DjangoJSONEncoder

from portal.clusters.models import PortReservation
from portal.core import ids
from portal.resources.models import Child, Operation, Resource

TABLES = (
    "resources.Resource",
    "resources.Child",
    "resources.Link",
    "resources.Change",
    "resources.Operation",
    "resources.Event",
    "resources.Quote",
    "resources.IdempotencyKey",
    "audit.AuditEvent",
    "audit.Head",
    "clusters.PortReservation",
    "clusters.Cluster",
)
_LEFT_OUT = {
    *("fence", "lease_token", "lease_until", "failures", "next_reconcile_at"),  # the engine's own, of each turn
    *("request_id", "fingerprint"),
    *("previous", "digest", "salts", "commitments"),  # of the audit's chains, which are verified
    "steps",  # what was seen on the way depends on when somebody looked
}
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?")
_STAMP = re.compile(r"\d{8}-\d{6}(-\d+)?")
_OLD_PORT = re.compile(r'"port": \d+')  # of a service that has given it back
_WINDOW = re.compile(r'"maintenance": \{[^}]*\}|\w+day \d\d:\d\d\W[u\d]+:\d\d UTC')  # spread by the id, or opened now
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PUBLIC = re.compile(r"([a-z]{2,5})_[0-7][0-9A-HJKMNP-TV-Z]{25}")

Snapshot = dict[str, list[str]]


def take(data: Path) -> Snapshot:
    """Return table or "files" → sorted lines of text."""
    labels = _labels()
    found = {name: sorted(_clean(_row(row), labels) for row in _rows(name)) for name in TABLES}
    found["files"] = sorted(_clean(line, labels) for line in _files(data / "services"))
    return found


def difference(one: Snapshot, other: Snapshot) -> str:
    """Return what only one of the two has, for people; empty where they are equal."""
    lines = []
    for name in one:
        left, right = list(one[name]), list(other[name])
        for line in one[name]:
            if line in right:
                left.remove(line)
                right.remove(line)
        lines += [f"- {name}: {line}" for line in left] + [f"+ {name}: {line}" for line in right]
    return "\n".join(lines)


def _rows(name: str) -> list[dict[str, Any]]:
    rows = apps.get_model(name).objects.all()
    if name == "resources.Event":  # what was seen on the way depends on when somebody looked
        rows = rows.exclude(reason="StateChanged")
    return list(rows.order_by().values())


def _row(row: dict[str, Any]) -> str:
    kept = {name: value for name, value in row.items() if name not in _LEFT_OUT and name != "id"}
    kept |= {"due": row["next_reconcile_at"] is not None} if "next_reconcile_at" in row else {}
    return json.dumps(kept, cls=DjangoJSONEncoder, sort_keys=True)


def _labels() -> dict[str, str]:
    """Return what stands for each id, handle and port."""
    found: dict[str, str] = {}
    handles = {}
    for resource in Resource.objects.all():
        handles[resource.handle] = resource.name
        found |= {str(resource.id): f"<{resource.name}>", resource.handle: f"<handle {resource.name}>"}
    for child in Child.objects.select_related("resource"):
        found[str(child.id)] = f"<{child.resource.name}/{child.kind}/{child.name}>"
    for operation in Operation.objects.select_related("resource"):
        label = f"<{operation.type} {operation.resource.name}/{operation.child_name}>"
        found |= {str(operation.id): label, ids.encode("op", operation.id): label}
    for port in PortReservation.objects.all():
        found[f": {port.port}"] = f": <port of {handles.get(port.handle, 'nobody')}>"
    return found


def _clean(text: str, labels: dict[str, str]) -> str:
    for word, label in labels.items():
        text = text.replace(word, label)
    text = _UUID.sub("<id>", _PUBLIC.sub(r"\1_<id>", _TIME.sub("<time>", text)))
    text = _OLD_PORT.sub('"port": <gone>', _STAMP.sub("<stamp>", text))
    return _WINDOW.sub("<window>", text)


def _files(services: Path) -> list[str]:
    """Return a line for each file: what is asked in a wish, the names in a table of secrets, else its place alone."""
    found = []
    for path in sorted(services.rglob("*")) if services.is_dir() else ():
        if path.name in (".lock", "fence"):  # how often somebody looked
            continue
        content = ""
        if path.name == "unit.json":
            wish = json.loads(path.read_text()) | {"fence": 0}
            wish["unit"].pop("runs", None)  # work that is done is no longer asked for from the next turn on
            content = json.dumps(wish, sort_keys=True)
        elif path.name == "secrets.json":
            content = json.dumps(sorted(json.loads(path.read_text())))
        found.append(f"{path.relative_to(services)} {content}")
    return found
