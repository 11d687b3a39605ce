"""Turns whatever an API view raises into a problem document (RFC 9457). Settings name ``exception_handler``.

What a problem is and which codes there are: ``core.errors`` and PRODUCT 4.7.
"""

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from django.http.request import UnreadablePostError
from django.utils.translation import gettext as _
from rest_framework import exceptions as drf
from rest_framework.request import Request
from rest_framework.response import Response

from portal.core.errors import (
    FieldError,
    PermanentError,
    Problem,
    TemporaryError,
    escape,
    invalid,
    not_found,
    of_backend,
)

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 5
log = logging.getLogger(__name__)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response:
    """Return the problem document of an exception; an unexpected one is logged and shows nothing of its inside."""
    problem = problem_of(error)
    if problem is None:
        log.exception("Unexpected error", exc_info=error, extra={"request_id": trace_id(context["request"])})
        problem = _unexpected()
    if problem.afterwards is not None:
        problem.afterwards()
    return respond(problem, context["request"], headers=_headers(error, problem))


def respond(problem: Problem, request: Request | HttpRequest, *, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as an answer of its status."""
    body = document(problem, instance=request.path, trace_id=trace_id(request))
    return Response(body, status=problem.status, headers=dict(headers or {}), content_type=CONTENT_TYPE)


def document(problem: Problem, *, instance: str = "", trace_id: str = "") -> dict[str, Any]:
    """Return the members of a problem document; ``extra`` never overrides the standard ones."""
    return {
        **problem.extra,
        "type": "about:blank",
        "title": problem.title or problem.status.phrase,
        "status": int(problem.status),
        "detail": str(problem.detail),
        "instance": instance,
        "code": problem.code,
        "trace_id": trace_id,
        "retryable": problem.retryable,
        "errors": [{**asdict(error), "detail": str(error.detail)} for error in problem.errors],
    }


def trace_id(request: Request | HttpRequest) -> str:
    """Return the request's id, as ``X-Request-Id`` says it and logs and audit keep it."""
    return str(getattr(request, "request_id", ""))


def problem_of(error: Exception) -> Problem | None:
    """Return the problem that an exception means, or None for a bug."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, drf.ValidationError):
        return invalid(*field_errors(error.detail))
    if isinstance(error, drf.APIException):
        return _of_api_exception(error)
    return _of_django(error)


def field_errors(detail: Any, at: str = "") -> Iterable[FieldError]:
    """Flatten a validation error's tree into fields by JSON pointer (RFC 6901)."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            own = name in ("non_field_errors", "detail") and not isinstance(inner, Mapping)
            yield from field_errors(inner, at if own else f"{at}/{escape(str(name))}")
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, Mapping | list)
            yield from field_errors(inner, f"{at}/{index}" if nested else at)
    else:
        yield FieldError(at, str(getattr(detail, "code", "invalid")), str(detail))


def _of_django(error: Exception) -> Problem | None:
    match error:
        case Http404():
            return not_found()
        case DjangoPermissionDenied():
            return Problem("permission_denied", HTTPStatus.FORBIDDEN, _("Your role does not allow this."))
        case TemporaryError() | PermanentError():
            return of_backend(error)
        case OperationalError() | InterfaceError():
            log.warning("The database refused: %s", error)
            return _unavailable(_("The portal can't answer at the moment. Try again in a few seconds."))
        case RequestDataTooBig():
            return Problem("too_large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _("The body is too large."))
        case SuspiciousOperation() | UnreadablePostError():
            return Problem("malformed_request", HTTPStatus.BAD_REQUEST, _("The request could not be read."))
    return None


def _of_api_exception(error: drf.APIException) -> Problem:
    status, detail = HTTPStatus(error.status_code), str(error.detail)
    match error:
        case drf.Throttled():
            wait = _seconds(error)
            limited = _("Too many requests. Try again in %(seconds)d s.") % {"seconds": wait}
            return Problem("rate_limited", status, limited, retryable=True)
        case drf.NotFound():
            return not_found()
        case drf.NotAuthenticated():
            help_ = _("Send a token: “Authorization: Bearer arc_…”. Make one in the console or with manage.py token.")
            return Problem("authentication_required", HTTPStatus.UNAUTHORIZED, help_)
        case drf.AuthenticationFailed():
            return Problem("invalid_token", HTTPStatus.UNAUTHORIZED, detail)
        case drf.ParseError():
            return Problem("malformed_request", status, detail)
    return _other(status, detail)


def _other(status: HTTPStatus, detail: str) -> Problem:
    codes = {
        HTTPStatus.FORBIDDEN: "permission_denied",
        HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
        HTTPStatus.NOT_ACCEPTABLE: "not_acceptable",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type",
    }
    return Problem(codes.get(status, status.name.lower()), status, detail, retryable=status >= 500)


def _unavailable(detail: str) -> Problem:
    return Problem("unavailable", HTTPStatus.SERVICE_UNAVAILABLE, detail, retryable=True)


def _unexpected() -> Problem:
    detail = _("Something went wrong on our side, and we have a record of it. Give the trace id when you ask about it.")
    return Problem("internal_error", HTTPStatus.INTERNAL_SERVER_ERROR, detail, retryable=True)


def _headers(error: Exception, problem: Problem) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if isinstance(error, drf.Throttled):
        headers["Retry-After"] = str(_seconds(error))
    elif problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_SECONDS)
    return headers


def _seconds(error: drf.Throttled) -> int:
    wait: float | None = getattr(error, "wait", None)
    return max(1, math.ceil(wait or 1))
