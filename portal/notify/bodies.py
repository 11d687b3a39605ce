"""What webhooks are told: CloudEvents 1.0 as JSON, under 20 kB whatever the data."""

import json
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder

from portal.core import ids
from portal.core.api.shapes import moment
from portal.notify.models import Happening

LARGEST = 20_000  # bytes, as Standard Webhooks advises


def body_of(happening: Happening) -> bytes:
    """Return the body; the same bytes at each try. Data that does not fit is left out, and said to be."""
    body = _bytes(happening, happening.data)
    return body if len(body) < LARGEST else _bytes(happening, {"truncated": True})


def _bytes(happening: Happening, data: dict[str, Any]) -> bytes:
    project = ids.encode("proj", happening.project_id) if happening.project_id else None
    event = {
        "specversion": "1.0",
        "id": happening.public_id,
        "source": f"{settings.BASE_URL}/organizations/{ids.encode('org', happening.organization_id)}",
        "type": happening.type,
        "subject": happening.subject or None,
        "time": moment(happening.at),
        "datacontenttype": "application/json",
        "data": {**data, "project": project},
    }
    kept = {name: value for name, value in event.items() if value is not None}
    return json.dumps(kept, cls=DjangoJSONEncoder, separators=(",", ":"), ensure_ascii=False).encode()
