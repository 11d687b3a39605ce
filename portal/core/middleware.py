"""What every request passes: an id of its own, the content security policy, and problems turned into answers.

Headers in which a proxy might name a user or a host are read nowhere, an address and a scheme in ``proxies`` alone.
"""

import re
import secrets
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from portal.core import csp
from portal.core.api.problems import CONTENT_TYPE, document, trace_id
from portal.core.errors import PermanentError, Problem, TemporaryError, not_found, of_backend
from portal.core.htmx import toast, wants_partial

Handler = Callable[[HttpRequest], HttpResponse]
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_API = "/api/"


def request_id(get_response: Handler) -> Handler:
    """Give each request an id (``request.request_id``), the caller's own where it is sane, and say it in the answer."""

    def middleware(request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-Id", "")
        chosen = given if _SANE_ID.fullmatch(given) else secrets.token_hex(16)
        request.request_id = chosen  # type: ignore[attr-defined]
        response = get_response(request)
        response["X-Request-Id"] = chosen
        return response

    return middleware


def content_security_policy(get_response: Handler) -> Handler:
    """Set the strict policy on every answer that brings none of its own (``response["Content-Security-Policy"]``)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.setdefault(csp.HEADER, csp.policy())
        return response

    return middleware


def head_as_get(get_response: Handler) -> Handler:
    """Have the API answer HEAD as GET, whose body the server leaves out (RFC 9110, 9.3.2): DRF's views know no HEAD.

    ``META["REQUEST_METHOD"]`` still says HEAD, for a view whose GET is an event.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        if request.method != "HEAD" or not request.path.startswith(_API):
            return get_response(request)
        request.method = "GET"
        response = get_response(request)
        request.method = "HEAD"
        return response

    return middleware


def problems(get_response: Handler) -> Handler:
    """Turn what a view refuses into its answer: a page, a toast for htmx, or a problem document under ``/api/``."""
    return _Problems(get_response)


class _Problems:
    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path:  # no column holds one, so asking for it would end in an error of the database's
            response = self.process_exception(request, not_found())
            assert response is not None  # noqa: S101
            return response
        response = self.get_response(request)
        if _is_bare_error(request, response):
            return as_json(request, _problem_of_status(HTTPStatus(response.status_code)))
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, TemporaryError | PermanentError):
            error = of_backend(error)
        if not isinstance(error, Problem):
            return None
        if error.afterwards is not None:
            error.afterwards()
        if request.path.startswith(_API):
            return as_json(request, error)
        return as_toast(error) if wants_partial(request) else as_page(request, error)


def as_page(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return the page that tells a person what was refused, why, and what to do next."""
    context = {"problem": problem, "title": problem.title or problem.status.phrase}
    return render(request, "problem.html", context, status=problem.status)


def as_toast(problem: Problem) -> HttpResponse:
    """Return an answer that leaves the page as it is and has ``app.js`` show the refusal."""
    response = HttpResponse(status=problem.status, headers={"HX-Reswap": "none"})
    return toast(response, problem.detail, "danger")


def as_json(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return a problem document (RFC 9457) for what failed before or beside the API's own handler."""
    body = document(problem, instance=request.path, trace_id=trace_id(request))
    return JsonResponse(body, status=problem.status, content_type=CONTENT_TYPE)


def _is_bare_error(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether Django itself answered a call of the API with one of its own error pages."""
    is_error = response.status_code in (400, 403, 404, 405, 500) and not settings.DEBUG
    return is_error and request.path.startswith(_API) and "json" not in response.get("Content-Type", "")


def _problem_of_status(status: HTTPStatus) -> Problem:
    if status is HTTPStatus.NOT_FOUND:
        return not_found()
    if status is HTTPStatus.INTERNAL_SERVER_ERROR:
        return Problem("internal_error", status, "Something went wrong here. It was logged.", retryable=True)
    return Problem(status.phrase.lower().replace(" ", "_"), status, status.description or status.phrase)
