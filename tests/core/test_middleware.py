"""What every answer carries, and how problems are told to people, htmx and scripts."""

import json
import re
from collections.abc import Callable, Iterator

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from portal.accounts.models import User
from portal.core import csp, middleware
from portal.core.errors import FieldError, Problem, conflict, invalid, not_found
from portal.projects.models import Project


def answer_to(problem: Exception, path: str = "/services", **headers: str) -> HttpResponse | None:
    request = RequestFactory().get(path, headers=headers)
    return middleware.problems(lambda _request: HttpResponse()).process_exception(request, problem)  # type: ignore[attr-defined]


def test_a_request_gets_an_id_or_keeps_a_sane_one(db: None) -> None:
    assert re.fullmatch("[0-9a-f]{32}", Client().get("/sign-in")["X-Request-Id"])
    assert Client().get("/sign-in", headers={"X-Request-Id": "build-4711.a"})["X-Request-Id"] == "build-4711.a"


@pytest.mark.parametrize("given", ["short", "x" * 65, "with space 1234", "<script>alert</script>", "zeile\tzwei"])
def test_an_id_that_is_not_sane_is_replaced(db: None, given: str) -> None:
    answer = Client().get("/sign-in", headers={"X-Request-Id": given})
    assert re.fullmatch("[0-9a-f]{32}", answer["X-Request-Id"])


def test_the_id_is_in_the_problem(db: None) -> None:
    answer = Client().get("/api/v1/me", headers={"X-Request-Id": "build-4711"})
    assert answer.json()["trace_id"] == "build-4711"


def test_the_policy_allows_our_own_origin_and_nothing_inline(db: None) -> None:
    policy = Client().get("/sign-in")["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert not any(word in policy for word in ("unsafe", "*", "http:", "https:"))
    for directive in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert directive in policy


def test_a_page_may_bring_its_own_policy() -> None:
    def own(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(headers={csp.HEADER: csp.policy({"img-src": "'self' data:"})})

    answer = middleware.content_security_policy(own)(RequestFactory().get("/"))
    assert "img-src 'self' data:;" in answer[csp.HEADER]
    assert "script-src 'self';" in answer[csp.HEADER]


@pytest.mark.parametrize(
    ("problem", "status"),
    [(not_found(), 404), (conflict("last_owner", "The last one."), 409), (invalid(FieldError("/x", "y", "Z.")), 422)],
)
def test_a_problem_becomes_a_page(db: None, problem: Problem, status: int) -> None:
    page = answer_to(problem)
    assert page is not None
    assert page.status_code == status
    assert problem.detail in page.content.decode()
    assert page["Content-Type"].startswith("text/html")


def test_what_is_no_problem_is_left_to_django() -> None:
    assert answer_to(ValueError("a bug")) is None


def test_htmx_gets_a_toast_and_keeps_its_page(db: None) -> None:
    toast = answer_to(conflict("last_owner", "The last one."), **{"HX-Request": "true"})
    assert toast is not None
    assert (toast.status_code, toast["HX-Reswap"], toast.content) == (409, "none", b"")
    assert json.loads(toast["HX-Trigger"]) == {"toast": {"message": "The last one.", "tone": "danger"}}
    boosted = answer_to(not_found(), **{"HX-Request": "true", "HX-Boosted": "true"})
    assert boosted is not None
    assert boosted.content


def test_the_api_gets_a_problem_document() -> None:
    answer = answer_to(conflict("last_owner", "The last one.", resource="acme"), path="/api/v1/x")
    assert answer is not None
    assert answer["Content-Type"] == "application/problem+json"
    body = json.loads(answer.content)
    assert (body["code"], body["status"], body["resource"], body["instance"]) == (
        "last_owner",
        409,
        "acme",
        "/api/v1/x",
    )


@pytest.mark.parametrize("path", ["/api/v1/no-such", "/api/v2/me", "/api/v1/projects/a/b/c"])
def test_an_address_that_the_api_does_not_have_is_a_problem_document(db: None, path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 404
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


def test_a_page_that_is_not_there_and_one_that_is_foreign_say_the_same_status(
    owner: User, stranger: User, project: Project, client_of: Callable[[User], Client]
) -> None:
    assert client_of(owner).get("/projects/acme-prod").status_code == 200
    assert client_of(stranger).get("/projects/acme-prod").status_code == 404
    assert client_of(stranger).get("/projects/no-such").status_code == 404


@pytest.fixture
def html_of_every_page(
    owner: User, operator: User, project: Project, client_of: Callable[[User], Client]
) -> Iterator[tuple[str, str]]:
    def pages() -> Iterator[tuple[str, str]]:
        for path in (
            "/account/tokens",
            "/projects/new",
            "/projects/acme-prod",
            "/projects/acme-prod/members",
            "/audit",
        ):
            yield path, client_of(owner).get(path).content.decode()
        for path in ("/admin/", "/admin/accounts/user/", f"/admin/accounts/user/{owner.pk}/change/"):
            yield path, client_of(operator).get(path).content.decode()

    return pages()


def test_no_page_has_what_the_policy_would_block(html_of_every_page: Iterator[tuple[str, str]]) -> None:
    for path, html in html_of_every_page:
        assert not re.search(r"<[^>]+ style=|<style|<[^>]+ on[a-z]+=|javascript:", html), path
        assert not re.search(r"<script(?![^>]*(src=|type=\"application/json\"))", html), path
