"""A real PostgreSQL under the supervisor, in the sandbox where this host has one: from order to nothing left."""

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from portal.clusters.backends.local import proc
from portal.clusters.backends.local.certificates import Authority
from portal.clusters.backends.local.files import read_json
from portal.clusters.backends.local.packages import ensure
from portal.core.drivers import Command, File, GeneratedSecret, Limits, Phase, Probe, Run, Sampler, Unit
from tests.ports import free_port

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

pytestmark = pytest.mark.engine
HANDLE = "pgpgpgpgpgpg"
ADMIN = GeneratedSecret("admin")
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {{port:main}}
unix_socket_directories = '{{run}}'
unix_socket_permissions = 0700
ssl = on
ssl_cert_file = '{{dir}}/tls/cert.pem'
ssl_key_file = '{{dir}}/tls/key.pem'
hba_file = '{{dir}}/etc/pg_hba.conf'
max_connections = 20
shared_buffers = 32MB
"""
HBA = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"


def postgresql(release: str = "17.10", tools: str = "17.10", **rest: object) -> Unit:
    server = f"{{{{package:postgresql-{release}}}}}/bin"
    client = f"{{{{package:postgresql-{tools}}}}}/bin"
    psql = (f"{client}/psql", "-XqAt", "-h", "{{run}}", "-p", "{{port:main}}", "-U", "postgres", "-d", "postgres")
    login = {"PGPASSWORD": ADMIN.ref()}
    settings: dict[str, object] = {
        "packages": tuple(dict.fromkeys((f"postgresql-{release}", f"postgresql-{tools}"))),
        "argv": (f"{server}/postgres", "-D", "{{dir}}/data", "-c", "config_file={{dir}}/etc/postgresql.conf"),
        "probe": Probe((*psql, "-c", "select 1"), env=login),
        "ports": ("main",),
        "files": (
            File("etc/postgresql.conf", SETTINGS),
            File("etc/pg_hba.conf", HBA, on_change="reload"),
            File("etc/admin.password", ADMIN.ref(), on_change="none"),
        ),
        "prepare": (
            Command(
                "create the data directory",
                (
                    *(f"{server}/initdb", "-D", "{{dir}}/data", "-U", "postgres"),
                    *("--pwfile={{dir}}/etc/admin.password", "--auth=scram-sha-256", "--data-checksums"),
                    *("--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"),
                ),
            ),
        ),
        "secrets": (ADMIN,),
        "limits": Limits(memory_mib=512, processes=64),
        "stop_signal": "SIGINT",
        "reload_signal": "SIGHUP",
        "sampler": Sampler(
            (*psql, "-c", "select json_build_object('connections', count(*)) from pg_stat_activity"), env=login
        ),
        "runs": (
            Run("rows", psql, stdin="create table if not exists t as select 1 as n;\nselect n from t;", env=login),
        ),
    }
    return Unit(**{**settings, **rest})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


def query(supervised: "Supervised", port: int, sql: str) -> str:
    """Ask over TCP as a customer would: TLS, the certificate and its name verified."""
    password = (read_json(supervised.data / "services" / HANDLE / "secrets.json") or {})["admin"]["values"]["password"]
    psql = ensure("postgresql-17.10", prefix=supervised.packages) / "bin" / "psql"
    env = {"PGPASSWORD": password, "PGSSLROOTCERT": str(supervised.data / "public" / "ca.pem")}
    where = f"host=localhost hostaddr=127.0.0.1 port={port} user=postgres dbname=postgres sslmode=verify-full"
    done = subprocess.run([psql, where, "-XqAtc", sql], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_life_of_a_postgresql(supervised: "Supervised", port: int) -> None:
    ensure("postgresql-17.10", prefix=supervised.packages)
    began = time.monotonic()
    home = supervised.wish(HANDLE, postgresql(), main=port)
    supervised.until_ready(HANDLE)
    print(f"order to ready {time.monotonic() - began:.2f} s")  # noqa: T201 - a figure for whoever runs it with -s
    supervised.eventually(lambda: _succeeded(supervised, "rows"), "the run has its result")
    assert supervised.state(HANDLE).runs["rows"].output.strip() == "1"
    assert query(supervised, port, "select version()").startswith("PostgreSQL 17.10")
    assert query(supervised, port, "select ssl from pg_stat_ssl where pid = pg_backend_pid()") == "t"

    first = supervised.pid(HANDLE)  # the engine killed: back, with its rows
    os.kill(first, signal.SIGKILL)
    supervised.eventually(lambda: supervised.state(HANDLE).crashes == 1, "the crash is seen")
    supervised.until_ready(HANDLE)
    second = supervised.pid(HANDLE)
    assert second != first
    assert query(supervised, port, "select n from t") == "1"

    supervised.kill()  # the supervisor killed: the next one adopts, customers notice nothing
    assert query(supervised, port, "select n from t") == "1"
    supervised.start()
    supervised.wish(HANDLE, postgresql(), generation=2, main=port)
    supervised.until_ready(HANDLE, generation=2)
    assert supervised.pid(HANDLE) == second

    supervised.wish(HANDLE, postgresql(running=False), generation=3, main=port)
    supervised.until(HANDLE, Phase.STOPPED)
    assert not (home.root / "data" / "postmaster.pid").exists()
    supervised.wish(HANDLE, postgresql(), generation=4, main=port)
    supervised.until_ready(HANDLE, generation=4)
    assert query(supervised, port, "select n from t") == "1"

    supervised.wish(HANDLE, postgresql(), want="absent", generation=5, main=port)
    supervised.eventually(lambda: not home.exists(), "everything is taken away")
    assert proc.of_instance(supervised.data, HANDLE) == set()
    assert not home.run.exists()


def test_a_renewed_certificate_is_served_without_a_restart(supervised: "Supervised", port: int) -> None:
    home = supervised.wish(HANDLE, postgresql(), main=port)
    supervised.until_ready(HANDLE)
    pid = supervised.pid(HANDLE)
    before = (home.root / "tls" / "cert.pem").read_bytes()
    (home.root / "tls" / "cert.pem").unlink()
    Authority(supervised.data)
    supervised.wish(HANDLE, postgresql(), generation=2, main=port)
    supervised.until_ready(HANDLE, generation=2)
    assert (home.root / "tls" / "cert.pem").read_bytes() != before
    assert query(supervised, port, "select 1") == "1"
    assert supervised.pid(HANDLE) == pid


def test_a_minor_upgrade_keeps_the_data(supervised: "Supervised", port: int) -> None:
    supervised.wish(HANDLE, postgresql("17.9"), main=port)
    supervised.until_ready(HANDLE, seconds=120)
    assert query(supervised, port, "show server_version") == "17.9"
    query(supervised, port, "create table kept as select 7 as n")
    supervised.wish(HANDLE, postgresql("17.10"), generation=2, main=port)
    supervised.until_ready(HANDLE, generation=2)
    assert query(supervised, port, "show server_version") == "17.10"
    assert query(supervised, port, "select n from kept") == "7"


def test_sql_sees_no_other_instance(supervised: "Supervised", port: int) -> None:
    supervised.wish(HANDLE, postgresql(), main=port)
    supervised.until_ready(HANDLE)
    if not (read_json(supervised.data / "isolation.json") or {}).get("isolation"):
        pytest.skip("this host has no working sandbox")
    look = f"create temp table o(line text); copy o from program 'ls {supervised.data}/services /root /home 2>&1; true'"
    seen = query(supervised, port, f"{look}; select string_agg(line, '|') from o")
    assert HANDLE in seen
    assert "supervisor.log" not in seen
    assert "No such file" in seen


def test_samples_show_memory_disk_and_the_engines_own_numbers(supervised: "Supervised", port: int) -> None:
    home = supervised.wish(HANDLE, postgresql(), main=port)
    supervised.until_ready(HANDLE)
    supervised.eventually(lambda: (read_json(home.sample_file) or {}).get("connections"), "a sample was taken")
    sample = read_json(home.sample_file)
    assert sample
    assert sample["memory_bytes"] > 1_000_000
    assert sample["disk_bytes"] > 10_000_000


def _succeeded(supervised: "Supervised", key: str) -> bool:
    result = supervised.state(HANDLE).runs.get(key)
    return result is not None and result.state == "succeeded"
