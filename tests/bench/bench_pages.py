"""What a page weighs cold, how many requests it takes and when its largest part is seen (LCP), beside a static copy.

The copy is the same HTML as a file, served by the same web process with the same style sheets and scripts: what differs
is what making the page costs. Each figure is the median of loads with an empty cache, page and copy in turn.
"""

import gzip
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.bench.sites import Site, filled, rounds, served
from tests.journeys.browser import browser
from tests.journeys.instance import Instance

pytestmark = [pytest.mark.engine, pytest.mark.browser, pytest.mark.full]
DATABASE, SERVICES = "bench_pages", 100
PAGES = {
    "home": "/",
    "catalog": "/catalog",
    "order": "/catalog/postgresql",
    "list": "/services",
    "detail": "/services/{usual}",
}
LARGEST = """() => new Promise((resolve) => {
  const seen = new PerformanceObserver((list) => resolve(list.getEntries().at(-1).startTime));
  seen.observe({ type: "largest-contentful-paint", buffered: true });
})"""


@dataclass(frozen=True, slots=True)
class Load:
    """One cold load: bytes over the wire with headers, requests, and the largest contentful paint in ms."""

    weight: float
    requests: int
    largest: float


@pytest.fixture(scope="module")
def site(instance: Instance, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve the portal once to copy its pages, and again with the copies beside them under ``/copies/``."""
    keys = filled(instance, DATABASE, SERVICES)
    root = tmp_path_factory.mktemp("root")
    with served(instance, DATABASE, keys) as first:
        for name, path in PAGES.items():
            copy(root / "copies", name, first.ask(path.format(**keys)).body)
    with served(instance, DATABASE, keys, BENCH_COPIES=str(root)) as second:
        yield second


def copy(folder: Path, name: str, page: bytes) -> None:
    """Write a page as ``manage.py collectstatic`` would: the file, and a compressed one beside it."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.html").write_bytes(page)
    (folder / f"{name}.html.gz").write_bytes(gzip.compress(page, 9))


def load(chromium: Browser, site: Site, path: str) -> Load:
    """Load a page in a browser that has never been here, and wait until all of it has come."""
    received: list[float] = []
    asked: list[str] = []
    address = f"http://127.0.0.1:{site.port}"
    with ExitStack() as stack:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        stack.callback(context.close)
        context.add_cookies([{"name": "sessionid", "value": site.keys["session"], "url": address}])
        page = context.new_page()
        wire = context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.requestWillBeSent", lambda event: asked.append(event["request"]["url"]))
        wire.on("Network.loadingFinished", lambda event: received.append(event["encodedDataLength"]))
        answer = page.goto(address + path, wait_until="networkidle")
        assert answer is not None
        assert answer.status == 200, (path, answer.status)
        largest = float(page.evaluate(LARGEST))
    return Load(sum(received), sum(1 for url in asked if url.startswith(address)), largest)


def median(loads: list[Load]) -> Load:
    return Load(
        statistics.median(load.weight for load in loads),
        round(statistics.median(load.requests for load in loads)),
        statistics.median(load.largest for load in loads),
    )


def test_cold_pages(site: Site) -> None:
    print()
    with browser() as chromium:
        load(chromium, site, "/catalog")  # the browser's own first page
        for name, path in PAGES.items():
            loads: dict[str, list[Load]] = {"page": [], "copy": []}
            for _ in range(rounds(20)):
                loads["page"].append(load(chromium, site, path.format(**site.keys)))
                loads["copy"].append(load(chromium, site, f"/copies/{name}.html"))
            page, beside = median(loads["page"]), median(loads["copy"])
            print(
                f"{name:8} {page.weight / 1000:.1f} kB in {page.requests} requests, LCP {page.largest:.0f} ms; static "
                f"copy {beside.weight / 1000:.1f} kB in {beside.requests}, LCP {beside.largest:.0f} ms: "
                f"{page.largest / beside.largest:.2f} times"
            )
