"""From an order over HTTP to the first query, beside a script that starts the same PostgreSQL by initdb and pg_ctl.

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
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from portal.clusters.backends.local.supervisor.stock import Bounds
from tests.journeys.instance import Api, Instance, free_port

pytestmark = [pytest.mark.engine, pytest.mark.full]
ROUNDS = 30
SCRIPT = """
set -e
bin=$1 dir=$2 port=$3
echo "$4" > "$dir.pw"
"$bin/initdb" -D "$dir" -U postgres --pwfile="$dir.pw" -A scram-sha-256 -k --no-sync --no-instructions > /dev/null
options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$dir"
"$bin/pg_ctl" -D "$dir" -w -l "$dir.log" -o "$options" start > /dev/null
"""


@dataclass(frozen=True)
class Login:
    """What a customer was shown."""

    uri: str
    ca_pem: str

    def ask(self, sql: str) -> object:
        """Return the first value of a query's answer, over verified TLS."""
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
            authority.write(self.ca_pem)
            authority.flush()
            with psycopg.connect(self.uri, sslrootcert=authority.name) as connection:
                row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
        assert row
        return row[0]

    def identifier(self) -> object:
        """Return what tells one data directory from every other that was not copied from it."""
        return self.ask("select system_identifier from pg_control_system()")

    @property
    def address(self) -> tuple[str | None, int | None]:
        parts = urlsplit(self.uri)
        return parts.hostname, parts.port

    @property
    def password(self) -> str | None:
        return urlsplit(self.uri).password


def started(api: Api, name: str) -> tuple[str, Login]:
    """Order, wait, and query with the issued login; return the service and the login."""
    body = {"name": name, "offering": "postgresql", "plan": "free"}
    operation = api.ok("POST", "/api/v1/projects/demo/services", body)
    service = api.finished(operation)["service"]
    login = api.ok("GET", f"/api/v1/services/{service}/credentials")["items"][0]["id"]
    shown = api.ok("POST", f"/api/v1/services/{service}/credentials/{login}/reveal")
    found = Login(shown["uri"], shown["ca_pem"])
    assert found.ask("select 1") == 1
    return service, found


def by_portal(api: Api, number: int) -> float:
    """Return the seconds from the order to the answer of a query with the issued login; the service goes afterwards."""
    began = time.perf_counter()
    service, _ = started(api, f"bench-{number}")
    took = time.perf_counter() - began
    api.finished(api.ok("DELETE", f"/api/v1/services/{service}?deletion_policy=wipe"))
    return took


class Script:
    """A PostgreSQL that a script starts; ``start`` returns when it has answered a query."""

    def __init__(self, package: Path) -> None:
        self._package = package
        self._folder = Path(tempfile.mkdtemp(prefix="archipel-bench-"))
        self._data = self._folder / "data"

    def start(self) -> None:
        port, password = free_port(), secrets.token_hex(16)
        words = ["bash", "-c", SCRIPT, "bench", str(self._package / "bin"), str(self._data), str(port), password]
        subprocess.run(words, check=True)
        with psycopg.connect(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres") as connection:
            connection.execute("select 1")

    def end(self) -> None:
        stop = [str(self._package / "bin" / "pg_ctl"), "-D", str(self._data), "-m", "fast", "-w", "stop"]
        subprocess.run(stop, check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)


def by_script(package: Path) -> float:
    """Return the seconds that the script and a first query take."""
    script = Script(package)
    try:
        began = time.perf_counter()
        script.start()
        return time.perf_counter() - began
    finally:
        script.end()


def until_the_stock_is_full(instance: Instance, within: float = 120.0) -> None:
    """Wait until the portal makes nothing in the background any more, so that the script has the machine to itself."""
    shelf, deadline = instance.data / "stock", time.monotonic() + within
    while len(list(shelf.glob("*/ready-*"))) < Bounds().each or any(shelf.glob("*/making-*")):
        assert time.monotonic() < deadline, f"the stock is not full: {sorted(shelf.glob('*/*'))}"
        threading.Event().wait(0.05)


def percentile(values: list[float], percent: int) -> float:
    """Return the smallest value that so many percent of the others don't exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


def test_order_to_first_query(instance: Instance, api: Api) -> None:
    package = instance.packages() / "postgresql-17.10"
    by_portal(api, 0)  # the first fetches the package
    portal, script = [], []
    for number in range(1, ROUNDS + 1):
        portal.append(by_portal(api, number))
        until_the_stock_is_full(instance)
        script.append(by_script(package))
    print(
        f"\norder over HTTP to first query, medians of {ROUNDS}: {statistics.median(portal):.3f} s "
        f"(p95 {percentile(portal, 95):.3f}), initdb and pg_ctl {statistics.median(script):.3f} s "
        f"(p95 {percentile(script, 95):.3f}): {statistics.median(portal) / statistics.median(script):.2f} times"
    )
