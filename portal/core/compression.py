"""Compresses what is only read, so that a page of fifty services weighs a tenth.

Compression can tell a listener who makes a browser ask again and again what stands beside his own words (BREACH). So
answers to POST, where alone a secret is ever shown, go out as they are, and so does what must not be stored. In pages
the CSRF token is masked anew for each answer, and Django pads each by a random length (``max_random_bytes``).
"""

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware


class Compression(GZipMiddleware):
    """Django's own, for GET alone."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress the answer where that is safe and the browser asks for it."""
        if request.method != "GET" or "no-store" in response.get("Cache-Control", ""):
            return response
        return super().process_response(request, response)
