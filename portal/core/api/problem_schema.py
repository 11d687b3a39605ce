"""The schema of a problem document (RFC 9457), for the OpenAPI document."""

from typing import Any

_TEXT = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A refusal (RFC 9457). `code` is the machine's word; some codes bring members of their own.",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": _TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": _TEXT,
        "instance": _TEXT,
        "code": _TEXT,
        "trace_id": _TEXT,
        "retryable": {"type": "boolean"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "JSON pointer into the body, or `?name` of a parameter.",
                    },
                    "code": _TEXT,
                    "detail": _TEXT,
                },
                "required": ["pointer", "code", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "trace_id", "retryable", "errors"],
}
