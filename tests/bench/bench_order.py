"""From an order over HTTP to the first query, beside a script that starts the same PostgreSQL by initdb and pg_ctl.

Both in the same run, one after the other, so that the machine is the same; prints medians and the ratio.
"""

import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

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


def by_portal(api: Api, number: int) -> float:
    """Return the seconds from the order to the answer of a query with the issued login; the service goes afterwards."""
    began = time.perf_counter()
    body = {"name": f"bench-{number}", "offering": "postgresql", "plan": "free"}
    operation = api.ok("POST", "/api/v1/projects/demo/services", body)
    service = api.finished(operation)["service"]
    login = api.ok("GET", f"/api/v1/services/{service}/credentials")["items"][0]["id"]
    shown = api.ok("POST", f"/api/v1/services/{service}/credentials/{login}/reveal")
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:
        authority.write(shown["ca_pem"])
        authority.flush()
        with psycopg.connect(shown["uri"], sslrootcert=authority.name) as connection:
            connection.execute("select 1")
    took = time.perf_counter() - began
    api.finished(api.ok("DELETE", f"/api/v1/services/{service}?deletion_policy=wipe"))
    return took


def by_script(package: Path) -> float:
    """Return the seconds that the script and a first query take."""
    folder = Path(tempfile.mkdtemp(prefix="archipel-bench-"))
    port, password = free_port(), secrets.token_hex(16)
    data = folder / "data"
    try:
        began = time.perf_counter()
        words = ["bash", "-c", SCRIPT, "bench", str(package / "bin"), str(data), str(port), password]
        subprocess.run(words, check=True)
        with psycopg.connect(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres") as connection:
            connection.execute("select 1")
        took = time.perf_counter() - began
        stop = [str(package / "bin" / "pg_ctl"), "-D", str(data), "-m", "fast", "-w", "stop"]
        subprocess.run(stop, check=True, capture_output=True)
        return took
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_order_to_first_query(instance: Instance, api: Api) -> None:
    package = instance.packages() / "postgresql-17.10"
    by_portal(api, 0)  # the first fetches the package
    pairs = [(by_portal(api, number), by_script(package)) for number in range(1, ROUNDS + 1)]
    portal, script = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = portal / script
    print(f"\norder over HTTP to first query {portal:.3f} s, initdb and pg_ctl {script:.3f} s: {ratio:.2f} times")
