"""Pages by cursor: every row once, in order, at a fixed number of queries; a bad parameter is named."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from portal.core import counting
from portal.core.api.pagination import page, page_of
from portal.core.errors import Problem
from portal.projects.models import Organization

SORTS = {"created_at": "created_at", "name": "name", "slug": "slug"}
pytestmark = pytest.mark.django_db


def request_for(query: str = "") -> Request:
    return Request(APIRequestFactory().get(f"/api/v1/things{query}"))


def page_for(query: str = "", **options: Any) -> Response:
    return page(request_for(query), Organization.objects.all(), lambda row: {"slug": row.slug}, sorts=SORTS, **options)


def walk(query: str) -> list[str]:
    """Follow the Link headers to the end."""
    found: list[str] = []
    while query:
        response = page_for(query)
        found += [item["slug"] for item in response.data["items"]]
        link = response.get("Link", "")
        assert bool(link) == bool(response.data["next_cursor"])
        query = link.partition("?")[2].partition(">")[0] and "?" + link.partition("?")[2].partition(">")[0]
    return found


@pytest.fixture
def rows() -> list[str]:
    """120 rows; many share a name, so that ties have to be broken."""
    made = [Organization(slug=f"o{n:03}", name=f"name {n % 7}") for n in range(120)]
    Organization.objects.bulk_create(made)
    return [row.slug for row in made]


@pytest.mark.parametrize("limit", [1, 7, 50, 119, 120, 200])
@pytest.mark.parametrize("sort", ["name", "-name", "name.asc", "name.desc", "slug", "-created_at"])
def test_every_row_comes_once_and_in_order(rows: list[str], sort: str, limit: int) -> None:
    found = walk(f"?sort={sort}&limit={limit}")
    assert sorted(found) == rows
    if "slug" in sort:
        assert found == rows
    if "name" in sort:
        names = [int(slug[1:]) % 7 for slug in found]
        assert names == sorted(names, reverse=sort in ("-name", "name.desc"))


def test_a_page_says_how_many_there_are_and_where_it_goes_on(rows: list[str]) -> None:
    response = page_for("?sort=slug")
    assert len(response.data["items"]) == 50
    assert response.data["total_count"] == 120
    assert response["Link"].endswith('>; rel="next"')
    assert response["Link"].startswith("<http://testserver/api/v1/things?sort=slug&cursor=")
    assert page_for("?limit=200").data["next_cursor"] is None


def test_rows_that_come_meanwhile_are_not_shown_twice_or_skipped(rows: list[str]) -> None:
    first = page_for("?sort=slug&limit=10")
    Organization.objects.create(slug="o0005", name="in between")
    Organization.objects.filter(slug="o009").delete()
    second = page_for(f"?sort=slug&limit=10&cursor={first.data['next_cursor']}")
    assert second.data["items"][0]["slug"] == "o010"


@pytest.mark.parametrize("size", [2, 120])
def test_a_page_takes_two_queries_whatever_its_size(rows: list[str], size: int) -> None:
    with CaptureQueriesContext(connection) as queries:
        page_for(f"?limit={size}")
    assert len(queries) == 2


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ("?limit=0", "?limit", "out_of_range"),
        ("?limit=201", "?limit", "out_of_range"),
        ("?limit=x", "?limit", "out_of_range"),
        ("?limit=-1", "?limit", "out_of_range"),
        ("?limit=%D9%A3", "?limit", "out_of_range"),
        ("?sort=secret", "?sort", "invalid_choice"),
        ("?sort=--name", "?sort", "invalid_choice"),
        ("?sort=-name.asc", "?sort", "invalid_choice"),
        ("?sort=name.up", "?sort", "invalid_choice"),
        ("?cursor=nonsense", "?cursor", "invalid_cursor"),
        ("?cursor=a:b:c", "?cursor", "invalid_cursor"),
        ("?page=2", "?page", "unknown_parameter"),
        ("?tag=a%00b", "?tag", "invalid_text"),
    ],
)
def test_a_bad_parameter_is_named(query: str, pointer: str, code: str) -> None:
    with pytest.raises(Problem) as caught:
        page_for(query, filters=("tag",))
    assert caught.value.status == 422
    assert [(error.pointer, error.code) for error in caught.value.errors] == [(pointer, code)]


def test_a_cursor_belongs_to_its_order_and_can_not_be_made_up(rows: list[str]) -> None:
    cursor = page_for("?sort=name&limit=2").data["next_cursor"]
    assert page_for(f"?sort=name&limit=2&cursor={cursor}").data["items"]
    for query in (f"?sort=-name&cursor={cursor}", f"?cursor={cursor}", f"?sort=name&cursor={cursor[:-1]}"):
        with pytest.raises(Problem):
            page_for(query)


def test_a_list_in_memory_has_pages_too() -> None:
    def shown(query: str) -> Response:
        return page_of(request_for(query), ["a", "b", "c"], lambda text: {"name": text})

    first = shown("?limit=2")
    assert ([item["name"] for item in first.data["items"]], first.data["total_count"]) == (["a", "b"], 3)
    rest = shown(f"?limit=2&cursor={first.data['next_cursor']}")
    assert ([item["name"] for item in rest.data["items"]], rest.data["next_cursor"]) == (["c"], None)
    with pytest.raises(Problem):
        shown("?cursor=nonsense")


def test_no_more_is_counted_than_anybody_reads(rows: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST", len(rows))
    with CaptureQueriesContext(connection) as caught:
        assert page_for("?limit=2").data["total_count"] == len(rows)
    assert f"LIMIT {len(rows) + 1}" in caught[0]["sql"]
    monkeypatch.setattr(counting, "MOST", len(rows) - 1)
    assert page_for("?limit=2").data["total_count"] is None
