"""Asks a portal over HTTP whether it is ready."""

import http.client
import json

from portal.bootstrap.running import HOST


def ready(port: int) -> bool:
    """Tell whether ``/readyz`` answers 200."""
    return answer(port)[0] == http.HTTPStatus.OK


def answer(port: int) -> tuple[int, dict[str, str]]:
    """Return status and parts, or 0 and nothing while nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return response.status, json.loads(response.read()).get("parts", {})
    except (OSError, ValueError, http.client.HTTPException):
        return 0, {}
    finally:
        connection.close()
