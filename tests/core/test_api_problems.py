"""Whatever a view raises becomes a problem document; a bug shows nothing of its inside."""

import logging
from http import HTTPStatus

import pytest
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import Http404
from rest_framework import exceptions as drf
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from portal.core.api.problems import document, field_errors
from portal.core.errors import FieldError, PermanentError, Problem, TemporaryError, conflict, invalid, not_found
from portal.core.logs import Line

CANARY = "canary-secret-in-an-exception"


def answer_to(error: Exception, *, method: str = "get", **extra: str) -> Response:
    @api_view(["GET"])
    @authentication_classes([])
    @permission_classes([])
    def view(request: Request) -> Response:
        raise error

    request = getattr(APIRequestFactory(), method)("/api/v1/thing", **extra)
    request.request_id = "trace-1"
    response: Response = view(request)
    response.render()
    return response


@pytest.mark.parametrize(
    ("error", "status", "code", "retryable"),
    [
        (not_found(), 404, "not_found", False),
        (Http404(CANARY), 404, "not_found", False),
        (drf.NotFound(CANARY), 404, "not_found", False),
        (conflict("resource_protected", "It is protected."), 409, "resource_protected", False),
        (drf.ParseError("broken"), 400, "malformed_request", False),
        (drf.NotAuthenticated(), 401, "authentication_required", False),
        (drf.AuthenticationFailed("unknown"), 401, "invalid_token", False),
        (drf.PermissionDenied(), 403, "permission_denied", False),
        (PermissionDenied(CANARY), 403, "permission_denied", False),
        (drf.MethodNotAllowed("PUT"), 405, "method_not_allowed", False),
        (drf.NotAcceptable(), 406, "not_acceptable", False),
        (drf.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type", False),
        (drf.Throttled(wait=2.2), 429, "rate_limited", True),
        (drf.ValidationError({"name": ["wrong"]}), 422, "invalid_arguments", False),
        (RequestDataTooBig(CANARY), 413, "too_large", False),
        (SuspiciousOperation(CANARY), 400, "malformed_request", False),
        (TemporaryError("The region is busy."), 503, "unavailable", True),
        (OperationalError(CANARY), 503, "unavailable", True),
        (PermanentError("The file is gone."), 409, "not_possible", False),
        (RuntimeError(CANARY), 500, "internal_error", True),
    ],
)
def test_each_error_has_its_status_and_code(error: Exception, status: int, code: str, retryable: bool) -> None:
    response = answer_to(error)
    assert (response.status_code, response.data["code"], response.data["retryable"]) == (status, code, retryable)
    assert response["Content-Type"] == "application/problem+json"
    assert set(response.data) >= {"type", "title", "status", "detail", "instance", "code", "trace_id", "errors"}
    assert (response.data["status"], response.data["trace_id"]) == (status, "trace-1")
    assert response.data["instance"] == "/api/v1/thing"
    assert CANARY not in response.content.decode()


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        answer_to(RuntimeError(CANARY))
    (record,) = caplog.records
    told = Line().format(record)
    assert "RuntimeError" in told
    assert "raise error" in told
    assert CANARY not in told


def test_headers_say_when_and_how_to_come_back() -> None:
    assert answer_to(drf.Throttled(wait=2.2))["Retry-After"] == "3"
    assert answer_to(TemporaryError("busy"))["Retry-After"] == "5"
    assert "GET" in answer_to(RuntimeError(), method="post")["Allow"]


def test_extra_members_never_hide_the_standard_ones() -> None:
    body = document(Problem("c", HTTPStatus.CONFLICT, "d", extra={"code": "x", "operation": "op_1"}))
    assert (body["code"], body["operation"]) == ("c", "op_1")


def test_pointers_of_nested_errors_follow_the_body() -> None:
    detail = drf.ValidationError(
        {"target": {"name": ["a"]}, "tags": {"a/b~": ["b"]}, "list": {0: ["c"]}, "non_field_errors": ["d"]}
    ).detail
    assert [error.pointer for error in field_errors(detail)] == ["/target/name", "/tags/a~1b~0", "/list/0", ""]


def test_each_wrong_field_is_named() -> None:
    data = answer_to(invalid(FieldError("/a", "x", "A."), FieldError("/b", "y", "B."))).data
    assert data["errors"] == [
        {"pointer": "/a", "code": "x", "detail": "A."},
        {"pointer": "/b", "code": "y", "detail": "B."},
    ]
