"""Lists and detail, pages and API, with 10 to 100,000 services, beside a bare Django view with a session and 50 rows.

All sizes are served at the same time, by a web process each, and asked in turn, so that what else the machine does
meets all of them. The number of queries has to be the same at every size; times are printed.
"""

import statistics
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.bench.sites import Site, filled, rounds, served
from tests.journeys.instance import Instance

pytestmark = [pytest.mark.engine, pytest.mark.full]
SIZES = (10, 100, 1_000, 100_000)
SMALL, LARGE = 100, 100_000
PAGES = {
    "home": "/",
    "list": "/services",
    "list, deep page": "/services?cursor={deep}",
    "list, by name": "/services?sort=name.asc",
    "list, by plan": "/services?sort=plan.desc",
    "list, by product": "/services?sort=offering.asc",
    "list, by state": "/services?sort=state.asc",
    "list, common state": "/services?state=running",
    "list, rare state": "/services?state=failed",
    "list, common tag": "/services?tag=env",
    "list, rare tag": "/services?tag=team%3Dt7",
    "list, common text": "/services?q=team",
    "list, rare text": "/services?q={name}",
    "list, no match": "/services?q=nothing-like-it",
    "list, product": "/services?offering=postgresql",
    "list, all projects": "/services?all=1",
    "bin": "/services?bin=1",
    "detail": "/services/{usual}",
    "detail, busy service": "/services/{busy}",
    "detail, head's poll": "/services/{usual}/header",
    "users of a service": "/services/{busy}/users",
    "activity, busy service": "/services/{busy}/activity",
    "settings": "/services/{usual}/settings",
    "operation": "/operations/{operation}",
    "search": "/search?q=shop",
    "search, rare": "/search?q={name}",
    "order page": "/catalog/postgresql",
    "audit": "/audit",
    "audit, action": "/audit?action=service.resize",
    "API list": "/api/v1/services",
    "API list of project": "/api/v1/projects/{project}/services",
    "API list, deep page": "/api/v1/services?cursor={deep_api}",
    "API list, by name": "/api/v1/services?sort=name.asc",
    "API list, by health": "/api/v1/projects/{project}/services?sort=health.asc",
    "API list, common state": "/api/v1/services?state=running",
    "API list, rare state": "/api/v1/services?state=failed",
    "API list, common tag": "/api/v1/services?tag=env",
    "API list, rare tag": "/api/v1/services?tag=team:t7",
    "API list, name": "/api/v1/services?name={name}",
    "API list, text": "/api/v1/services?q=s",
    "API detail": "/api/v1/services/{usual}",
    "API parts": "/api/v1/services/{busy}/users",
    "API operations": "/api/v1/services/{busy}/operations",
    "API events": "/api/v1/services/{busy}/events",
    "API audit": "/api/v1/audit",
}


@pytest.fixture(scope="module")
def sites(instance: Instance) -> Iterator[dict[int, Site]]:
    with ExitStack() as stack:
        keys = {size: filled(instance, f"bench_{size}", size) for size in SIZES}
        yield {size: stack.enter_context(served(instance, f"bench_{size}", keys[size])) for size in SIZES}


@pytest.fixture(scope="module")
def bare(instance: Instance, sites: dict[int, Site]) -> Iterator[Site]:
    with served(instance, f"bench_{LARGE}", sites[LARGE].keys, "tests.bench.bare") as site:
        yield site


def p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def report(sites: dict[int, Site], bare: Site, pages: dict[str, str], times: int) -> dict[str, dict[int, int]]:
    """Ask all pages at all sizes, print a line for each, and return how many queries each took by size."""
    counts = {}
    for name, path in pages.items():
        taken: dict[int, list[float]] = {size: [] for size in sites}
        beside: list[float] = []
        queries: dict[int, int] = {}
        shown: dict[int, int] = {}
        for turn in range(times + 3):
            beside_now = bare.ask("/bare").seconds
            for size, site in sites.items():
                answer = site.ask(path.format(**site.keys))
                assert answer.status == 200, (name, size, answer.status, answer.body[:500])
                queries[size] = min(answer.queries, queries.get(size, answer.queries))  # now and then one reads prices
                shown[size] = answer.body.count(b'<tr id="row-') or answer.body.count(b'"etag":')
                if turn >= 3:  # the first ones warm connections, templates and the price book up
                    taken[size].append(answer.seconds)
            beside.append(beside_now)
        counts[name] = queries
        print(line(name, taken, beside[3:], queries, shown))
    return counts


def line(
    name: str, taken: dict[int, list[float]], beside: list[float], queries: dict[int, int], shown: dict[int, int]
) -> str:
    """Say a page's medians and 95th percentiles in ms, and how they compare."""
    figures = "  ".join(
        f"{size}: {statistics.median(times) * 1000:.1f} / {p95(times) * 1000:.1f}" for size, times in taken.items()
    )
    growth = p95(taken[LARGE]) / p95(taken[SMALL])
    to_bare = statistics.median(taken[LARGE]) / statistics.median(beside)
    bare_ms = f"{statistics.median(beside) * 1000:.1f}"
    asked = "/".join(str(number) for number in dict.fromkeys(queries.values()))
    rows = f"  rows {'/'.join(str(number) for number in shown.values())}" if any(shown.values()) else ""
    return (
        f"{name:24} p50 / p95 ms  {figures}  p95 {LARGE} beside {SMALL}: {growth:.2f} times  "
        f"p50 beside the bare view's {bare_ms}: {to_bare:.2f} times  queries {asked}{rows}"
    )


def test_lists_and_detail(sites: dict[int, Site], bare: Site) -> None:
    print()
    counts = report(sites, bare, PAGES, rounds(200))
    assert {name: asked for name, asked in counts.items() if grows(asked)} == {}


def grows(asked: dict[int, int]) -> bool:
    """Whether a page takes more queries where there is more; an empty list takes fewer."""
    return max(asked.values()) > asked[SMALL]
