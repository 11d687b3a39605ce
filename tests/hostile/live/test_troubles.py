"""What a machine can refuse: the customer reads cause and next step, nothing is half done, and it heals by itself."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from portal.clusters.backends.local.supervisor import control
from tests.clusters.local.conftest import Supervised
from tests.hostile.live.conftest import Customer

RELEASE = "17.10"
pytestmark = [pytest.mark.engine, pytest.mark.django_db]


def test_a_port_that_another_program_has_taken(customer: Customer) -> None:
    service = customer.order("shop")
    port = customer.until(service, lambda shown: shown["state"] == "running", "it runs")["endpoints"][0]["port"]
    customer.finished(customer.ok("post", f"/services/{service}/stop"))
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        starting = customer.ok("post", f"/services/{service}/start")
        customer.until(service, lambda shown: str(port) in customer.said(service)[1], "it says which port")
        assert "another program" in customer.said(service)[1]
        assert customer.ok("get", f"/operations/{starting['id']}")["state"] == "running"
    customer.finished(starting)
    with customer.connection(service) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_package_that_can_not_be_fetched(
    bench: Supervised,
    empty_packages: Path,
    customer_of: Callable[[Supervised], Customer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PIP_INDEX_URL", "NPM_CONFIG_REGISTRY", "npm_config_registry"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("NPM_CONFIG_FETCH_RETRIES", "0")
    bench.start()
    customer = customer_of(bench)
    service = customer.order("shop")
    customer.until(service, lambda shown: "could not fetch PostgreSQL" in customer.said(service)[1], "it says so", 90)
    assert customer.ok("get", f"/services/{service}")["state"] == "provisioning"
    assert [path.name for path in empty_packages.iterdir() if not path.name.startswith(".")] == []
    put_in_place(bench, empty_packages)
    control.poke(bench.data, customer.row(service).handle)
    customer.until(service, lambda shown: shown["state"] == "running", "it runs when it can be had", 90)


def test_a_package_that_is_broken_on_the_disk(
    bench: Supervised, empty_packages: Path, customer_of: Callable[[Supervised], Customer]
) -> None:
    put_in_place(bench, empty_packages)
    broken = (empty_packages / f"postgresql-{RELEASE}" / "bin" / "postgres").resolve()
    broken.parent.chmod(0o755)
    broken.chmod(0o755)
    whole = broken.read_bytes()
    broken.write_bytes(whole[:100_000])
    bench.start()
    customer = customer_of(bench)
    service = customer.order("shop", version=RELEASE)
    customer.until(
        service,
        lambda shown: customer.said(service)[0].endswith(("Failed", "CrashLoop")),
        "it says so",
        90,
    )
    assert customer.said(service)[1].startswith("The data directory can't be made: ")
    assert customer.said(service)[1].endswith("An operator can help; we keep trying.")
    broken.write_bytes(whole)
    control.poke(bench.data, customer.row(service).handle)
    customer.until(service, lambda shown: shown["state"] == "running", "it runs when it is whole again", 120)


def put_in_place(bench: Supervised, prefix: Path) -> None:
    """Do what a fetch would have done, had it come through."""
    real: Path = bench.real_packages  # type: ignore[attr-defined]
    for package in (*real.glob(f"postgresql-{RELEASE}"), *real.glob("postgresql-tools-*")):
        shutil.copytree(package, prefix / package.name, symlinks=True, dirs_exist_ok=True)
