"""The OpenAPI document, and the page on which people read and try the API. Both need no sign-in."""

import functools
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core import csp


@extend_schema(exclude=True)
@api_view(["GET"])
@authentication_classes([])
@permission_classes([])
def document(request: Request) -> Response:
    """Return the OpenAPI 3.1 document of the whole API."""
    return Response(openapi())


@functools.cache
def openapi() -> dict[str, Any]:
    """Return the document, made once per process."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]
    made: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    """Show the API with Swagger UI, served from here; its start script is a file of its own, as the CSP asks."""
    response = render(request, "api/reference.html")
    response[csp.HEADER] = csp.policy({"img-src": "'self' data:"})  # Swagger UI's style sheet holds its icons
    return response


@require_safe
def reference_script(request: HttpRequest) -> HttpResponse:
    """Return the script that starts Swagger UI on that page."""
    return render(request, "api/reference.js", content_type="text/javascript")
