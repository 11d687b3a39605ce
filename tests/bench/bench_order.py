"""From an order over HTTP to the first query, beside a script that starts the same engine; of each offering.

Both in the same run, in turn, so that the machine is the same; prints medians, the slowest twentieth and the ratio.
The portal's orders find a stock of prepared directories, as a portal has that is not asked for eight at once.
"""

import secrets
import shutil
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import pytest

from portal.clusters.backends.local.supervisor.stock import Bounds
from tests.bench.engines import ENGINES, Engine
from tests.bench.sites import rounds
from tests.journeys.engines import Login
from tests.journeys.instance import Api, Instance
from tests.ports import free_port

pytestmark = [pytest.mark.engine, pytest.mark.full]
ROUNDS = rounds(30)


def started(api: Api, engine: Engine, name: str) -> tuple[str, Login]:
    """Order, wait, and query with the issued login; return the service and the login."""
    body = {"name": name, "offering": engine.slug, "plan": engine.plan}
    operation = api.ok("POST", "/api/v1/projects/demo/services", body)
    service = api.finished(operation)["service"]
    login = api.ok("GET", f"/api/v1/services/{service}/credentials")["items"][0]["id"]
    shown = api.ok("POST", f"/api/v1/services/{service}/credentials/{login}/reveal")
    found = Login(shown["uri"], shown["ca_pem"])
    engine.ask(found)
    return service, found


def by_portal(api: Api, engine: Engine, number: int) -> float:
    """Return the seconds from the order to the answer of a query with the issued login; the service goes afterwards."""
    began = time.perf_counter()
    service, _ = started(api, engine, f"bench-{number}")
    took = time.perf_counter() - began
    api.finished(api.ok("DELETE", f"/api/v1/services/{service}?deletion_policy=wipe"))
    return took


class Script:
    """An engine that a script starts; ``start`` returns when it has answered a query."""

    def __init__(self, engine: Engine, packages: Path) -> None:
        self._engine, self._package = engine, packages / engine.package
        self._folder = Path(tempfile.mkdtemp(prefix="archipel-bench-"))
        self._port, self._password = 0, secrets.token_hex(16)

    def start(self) -> None:
        self._port = free_port()
        subprocess.run(self._words(self._engine.start), check=True)
        self._engine.ask_script(self._port, self._password)

    def end(self) -> None:
        subprocess.run(self._words(self._engine.stop), check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _words(self, script: str) -> list[str]:
        data = self._folder / "data"
        return ["bash", "-c", script, "bench", str(self._package), str(data), str(self._port), self._password]


def by_script(engine: Engine, packages: Path) -> float:
    """Return the seconds that the script and a first query take."""
    script = Script(engine, packages)
    try:
        began = time.perf_counter()
        script.start()
        return time.perf_counter() - began
    finally:
        script.end()


def until_the_stock_is_full(instance: Instance, within: float = 120.0) -> None:
    """Wait until the portal makes nothing in the background any more, so that the script has the machine to itself.

    An offering whose directories take no work to prepare has no shelf there.
    """
    stock, deadline = instance.data / "stock", time.monotonic() + within
    while not all(is_full(recipe.parent) for recipe in stock.glob("*/recipe.json")):
        assert time.monotonic() < deadline, f"the stock is not full: {sorted(stock.glob('*/*'))}"
        threading.Event().wait(0.05)


def is_full(shelf: Path) -> bool:
    return len(list(shelf.glob("ready-*"))) >= Bounds().each and not any(shelf.glob("making-*"))


def percentile(values: list[float], percent: int) -> float:
    """Return the smallest value that so many percent of the others don't exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_order_to_first_query(engine: Engine, instance: Instance, api: Api) -> None:
    by_portal(api, engine, 0)  # the first fetches the package
    portal, script = [], []
    for number in range(1, ROUNDS + 1):
        portal.append(by_portal(api, engine, number))
        until_the_stock_is_full(instance)
        script.append(by_script(engine, instance.packages()))
    print(
        f"\norder of {engine} over HTTP to first query, medians of {ROUNDS}: {statistics.median(portal):.3f} s "
        f"(p95 {percentile(portal, 95):.3f}), the script {statistics.median(script):.3f} s "
        f"(p95 {percentile(script, 95):.3f}): {statistics.median(portal) / statistics.median(script):.2f} times"
    )
