"""The OpenAPI document describes what is there, and the page to try it holds to the content security policy."""

import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from portal.core.api.reference import openapi

METHODS = ("get", "post", "put", "patch", "delete")


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, op) for path, item in openapi()["paths"].items() for method, op in item.items()]


def test_anybody_reads_it(db: None) -> None:
    response = APIClient().get("/api/v1/openapi.json")
    assert response.status_code == 200
    assert response.json()["openapi"].startswith("3.1")
    assert response["Content-Type"] == "application/json"


def test_it_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


def test_its_keys_are_full_paths_and_every_reference_leads_somewhere() -> None:
    document = openapi()
    assert document["paths"]
    assert all(path.startswith("/api/v1/") and not path.endswith("/") for path in document["paths"])
    assert "/api/v1/projects/{project}/services" in document["paths"]
    known = document["components"]["schemas"]
    references = re.findall(r"'\$ref': '#/components/schemas/([^']+)'", repr(document))
    assert references
    assert not [name for name in references if name not in known]


def test_every_operation_has_a_name_of_its_own_a_summary_and_typed_parameters() -> None:
    names = [operation["operationId"] for _path, _method, operation in operations()]
    assert len(names) == len(set(names))
    for path, method, operation in operations():
        assert operation.get("summary"), (path, method)
        assert all("schema" in parameter for parameter in operation.get("parameters", []))
        assert {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"} == set(
            re.findall(r"{(\w+)}", path)
        )


def test_only_the_catalog_and_what_is_announced_need_no_token() -> None:
    public = {path for path, _method, operation in operations() if operation["security"] == []}
    assert public == {
        "/api/v1/announcements",
        "/api/v1/catalog/offerings",
        "/api/v1/catalog/offerings/{offering}",
        "/api/v1/catalog/offerings/{offering}/plans",
        "/api/v1/catalog/prices",
    }


def test_every_operation_announces_its_problems_as_problem_documents() -> None:
    for path, method, operation in operations():
        responses = operation["responses"]
        expected = {"404", "422", "429", "500", "503"} | ({"401", "403"} if operation["security"] else set())
        expected |= {"409", "413", "415"} if method != "get" else set()
        assert expected <= set(responses), (path, method)
        for status, response in responses.items():
            if status >= "400":
                assert set(response["content"]) == {"application/problem+json"}
            assert response["description"] or status < "400"
    edit = openapi()["paths"]["/api/v1/services/{service}"]["patch"]
    assert {"200", "202", "412"} <= set(edit["responses"])
    assert "Location" in edit["responses"]["202"]["headers"]


def test_every_answer_with_success_says_its_shape() -> None:
    for path, method, operation in operations():
        for status, response in operation["responses"].items():
            if status in ("200", "201", "202"):
                schemas = [media["schema"] for media in response["content"].values()]
                assert all(schemas), (path, method, status)


def test_it_names_every_endpoint_under_the_api(db: None) -> None:
    described = {re.sub(r"{\w+}", "{}", path) for path in openapi()["paths"]}
    described |= {"/api/v1/openapi.json"}
    there = {re.sub(r"<[^>]+>", "{}", path) for path in _paths(get_resolver().url_patterns, "/")}
    assert {path for path in there if path.startswith("/api/v1/")} == described


def _paths(patterns: list[Any], prefix: str) -> list[str]:
    found = []
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            found += _paths(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            found.append(prefix + str(pattern.pattern))
    return found


@pytest.mark.usefixtures("toy")
def test_the_settings_of_each_offering_are_a_component() -> None:
    assert openapi()["components"]["schemas"]["ToySpec"]["properties"]["greeting"]["maxLength"] == 40


@pytest.mark.django_db
def test_the_page_to_try_it_is_served_from_here_without_inline_script(settings: Any) -> None:
    settings.STORAGES = {
        **settings.STORAGES,
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    page = Client().get("/api/")
    assert page.status_code == 200
    assert "script-src 'self';" in page["Content-Security-Policy"]
    html = page.content.decode()
    assert 'id="reference"' in html
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL)
    assert scripts
    assert all("src=" in attributes and not body.strip() for attributes, body in scripts)
    assert all(source.startswith("/") for source in re.findall(r'(?:src|href)="([^"#]+)"', html))
    assert not re.search(r"\son\w+=|\sstyle=", html)
    assert "swagger-ui-bundle.js" in html
    script = Client().get("/api/reference.js")
    assert script["Content-Type"].startswith("text/javascript")
    assert "/api/v1/openapi.json" in script.content.decode()
