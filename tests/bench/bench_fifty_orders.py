"""Fifty orders of each offering at once over HTTP, beside a script that starts fifty of the same engine, two at a time.

Both in the same run. None may fail and none may be doubled; prints how long each order took, all of them, and a ratio.
"""

import collections
import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.bench.bench_order import Script, percentile, started, until_the_stock_is_full
from tests.bench.engines import ENGINES, Engine
from tests.bench.sites import rounds
from tests.journeys.engines import Login
from tests.journeys.instance import Api, Instance, eventually

pytestmark = [pytest.mark.engine, pytest.mark.full]
ORDERS = rounds(50)
AT_A_TIME = 2  # the script: what a machine with two processors does best


def order(api: Api, engine: Engine, name: str) -> tuple[float, str, Login]:
    """Order, and return the seconds to the first query with the issued login, the service and the login."""
    began = time.perf_counter()
    service, login = started(api, engine, name)
    return time.perf_counter() - began, service, login


def by_portal(api: Api, engine: Engine) -> tuple[float, list[tuple[float, str, Login]]]:
    """Return the seconds until the last of all orders answers its query, and what came of each."""
    began = time.perf_counter()
    with ThreadPoolExecutor(ORDERS) as crowd:
        done = list(crowd.map(lambda number: order(api, engine, f"crowd-{number}"), range(ORDERS)))
    return time.perf_counter() - began, done


def by_script(engine: Engine, packages: Path) -> float:
    """Return the seconds that the script takes for as many; all of them keep running, as the portal's do."""
    scripts = [Script(engine, packages) for _ in range(ORDERS)]
    try:
        began = time.perf_counter()
        with ThreadPoolExecutor(AT_A_TIME) as hands:
            list(hands.map(Script.start, scripts))
        return time.perf_counter() - began
    finally:
        for script in scripts:
            script.end()


def servers(instance: Instance, engine: Engine) -> collections.Counter[str]:
    """Count the engines that run by service: processes of a server, without those that it forks."""
    found: collections.Counter[str] = collections.Counter()
    for pid, command in instance.processes().items():
        if engine.server in command and "/services/" in command and "bwrap" not in command:
            marks = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            found.update(mark.decode().partition("=")[2] for mark in marks if mark.startswith(b"ARCHIPEL_SERVICE="))
    return found


def check(instance: Instance, api: Api, engine: Engine, done: list[tuple[float, str, Login]]) -> None:
    """See that each order has one service, one server, one port and one password of its own."""
    services = {service for _, service, _ in done}
    assert len(services) == ORDERS
    names = [item["name"] for item in everything(api) if item["name"].startswith("crowd-")]
    assert sorted(names) == sorted({f"crowd-{number}" for number in range(ORDERS)})
    assert len({login.address for _, _, login in done}) == ORDERS
    assert len({login.password for _, _, login in done}) == ORDERS
    assert len({engine.identity(login) for _, _, login in done}) == ORDERS, "two are the same"
    running = servers(instance, engine)
    assert len(running) == ORDERS, running
    assert set(running.values()) == {1}, running


def everything(api: Api) -> list[dict[str, Any]]:
    """Return all services, page by page."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.ok("GET", f"/api/v1/projects/demo/services?limit=100{cursor}")
        found += page["items"]
        if not page["next_cursor"]:
            return found
        cursor = f"&cursor={page['next_cursor']}"


def take_down(instance: Instance, api: Api, engine: Engine, services: list[str]) -> None:
    """Delete all services, and see that no engine is left."""
    with ThreadPoolExecutor(8) as crowd:
        list(crowd.map(lambda service: removed(api, service), services))
    eventually(lambda: not servers(instance, engine), within=60, what="engines are left")


def removed(api: Api, service: str) -> None:
    api.finished(api.ok("DELETE", f"/api/v1/services/{service}?deletion_policy=wipe"))


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_fifty_orders_at_once(engine: Engine, instance: Instance, api: Api) -> None:
    removed(api, order(api, engine, "first")[1])  # the first fetches the package
    until_the_stock_is_full(instance)  # the portal is at rest, as before any burst
    portal, done = by_portal(api, engine)
    check(instance, api, engine, done)
    take_down(instance, api, engine, [service for _, service, _ in done])
    script = by_script(engine, instance.packages())
    each = [seconds for seconds, _, _ in done]
    print(
        f"\n{ORDERS} orders of {engine} at once: all after {portal:.2f} s, each median "
        f"{statistics.median(each):.2f} s, p95 {percentile(each, 95):.2f} s; the script, {AT_A_TIME} at a time, "
        f"{script:.2f} s: {portal / script:.2f} times, {os.cpu_count()} processors"
    )
