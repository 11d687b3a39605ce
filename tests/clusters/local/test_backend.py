"""The backend: wishes in, states out, and never a wait. Ports are handed out from memory here, from the table below."""

import datetime
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from portal.clusters.backends.base import Wanted
from portal.clusters.backends.local import ports
from portal.clusters.backends.local.backend import LocalBackend
from portal.clusters.backends.local.layout import Home
from portal.clusters.backends.local.ports import Allocator
from portal.core.drivers import GeneratedSecret, Phase, Run, Unit
from portal.core.errors import PermanentError, TemporaryError

if TYPE_CHECKING:
    from tests.clusters.local.conftest import Supervised

HANDLE = "abcdefgh2345"
Units = Callable[..., Unit]


class MemoryPortStore:
    """Stands in for the table of reservations."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], int] = {}

    def of(self, handle: str) -> dict[str, int]:
        return {name: port for (owner, name), port in self.rows.items() if owner == handle}

    def taken(self) -> set[int]:
        return set(self.rows.values())

    def add(self, handle: str, name: str, port: int) -> bool:
        self.rows[handle, name] = port
        return True

    def release(self, handle: str) -> None:
        self.rows = {key: port for key, port in self.rows.items() if key[0] != handle}


def backend_in(data: Path, claims: Path) -> LocalBackend:
    return LocalBackend(None, data=data, allocator=Allocator(MemoryPortStore(), data, claims))


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalBackend:
    monkeypatch.setattr(ports, "bindable", lambda port: True)
    return backend_in(tmp_path, tmp_path / "claims")


def test_a_wish_is_recorded_with_its_ports_and_read_as_queued(
    backend: LocalBackend, small_unit: Units, tmp_path: Path
) -> None:
    assert backend.read(HANDLE).phase is Phase.ABSENT
    unit = small_unit(ports=("main",))
    began = time.monotonic()
    backend.apply(Wanted(HANDLE, 1, 1, unit))
    backend.apply(Wanted(HANDLE, 1, 1, unit))
    assert time.monotonic() - began < 0.5, "nobody listens, and nobody is waited for"
    state = backend.read(HANDLE)
    assert state.phase is Phase.QUEUED
    assert set(state.ports) == {"main"}
    stored = Home(tmp_path, HANDLE).wish()
    assert stored
    assert (stored.fence, stored.want, dict(stored.ports)) == (1, "running", dict(state.ports))


def test_an_older_fence_changes_nothing(backend: LocalBackend, small_unit: Units, tmp_path: Path) -> None:
    backend.apply(Wanted(HANDLE, 5, 2, small_unit()))
    backend.apply(Wanted(HANDLE, 4, 1, small_unit(running=False)))
    stored = Home(tmp_path, HANDLE).wish()
    assert stored
    assert (stored.generation, stored.want) == (2, "running")


def test_secrets_are_made_once_and_revealed_by_name(backend: LocalBackend) -> None:
    backend.ensure_secrets(HANDLE, [GeneratedSecret("admin"), GeneratedSecret("anna", ("password", "token"))])
    before = backend.reveal(HANDLE, ["admin", "anna", "nobody"])
    assert set(before) == {"admin", "anna"}
    backend.ensure_secrets(
        HANDLE, [GeneratedSecret("admin", rotation=1), GeneratedSecret("anna", ("password", "token"))]
    )
    after = backend.reveal(HANDLE, ["admin", "anna"])
    assert after["anna"] == before["anna"]
    assert after["admin"] != before["admin"]


def test_a_secret_in_a_command_line_is_refused(backend: LocalBackend, small_unit: Units) -> None:
    leak = Run("leak", ("psql", f"password={GeneratedSecret('admin').ref()}"))
    with pytest.raises(PermanentError, match="command line"):
        backend.apply(Wanted(HANDLE, 1, 1, small_unit(runs=(leak,))))


@pytest.mark.parametrize("handle", ["../keys", "a/b", "", ".", ".tombstones"])
def test_a_handle_can_not_lead_elsewhere(backend: LocalBackend, handle: str) -> None:
    with pytest.raises(PermanentError):
        backend.read(handle)


def test_a_disk_that_refuses_is_a_temporary_trouble(
    backend: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "services").write_text("in the way")
    with pytest.raises(TemporaryError, match="can't write to its disk"):
        backend.ensure_secrets(HANDLE, [GeneratedSecret("admin")])


def test_without_a_supervisor_metrics_are_a_temporary_trouble(backend: LocalBackend) -> None:
    now = datetime.datetime.now(datetime.UTC)
    with pytest.raises(TemporaryError, match="does not answer"):
        backend.metrics(HANDLE, since=now - datetime.timedelta(hours=1), until=now)


def test_an_artifact_is_opened_and_nothing_else(backend: LocalBackend, tmp_path: Path) -> None:
    home = Home(tmp_path, HANDLE)
    home.artifacts.mkdir(parents=True)
    (home.artifacts / "dump").write_bytes(b"rows")
    (tmp_path / "outside").write_text("secret")
    (home.artifacts / "link").symlink_to(tmp_path / "outside")
    with backend.artifact(HANDLE, "dump") as file:
        assert file.read() == b"rows"
    for name in ("link", "../secrets.json", "missing", "/etc/passwd"):
        with pytest.raises(PermanentError, match="not there any more"):
            backend.artifact(HANDLE, name)


def test_the_authority_can_be_had_before_anything_runs(backend: LocalBackend) -> None:
    assert backend.ca_pem().startswith("-----BEGIN CERTIFICATE-----")


@pytest.mark.engine
def test_from_apply_to_nothing_left(supervised: "Supervised", small_unit: Units, tmp_path: Path) -> None:
    backend = backend_in(supervised.data, tmp_path / "claims")
    unit = small_unit(ports=("main",), secrets=(GeneratedSecret("admin"),))
    backend.ensure_secrets(HANDLE, unit.secrets)
    backend.apply(Wanted(HANDLE, 1, 1, unit))
    supervised.until_ready(HANDLE)
    assert [line.text for line in backend.logs(HANDLE, since=None, until=None, limit=10)] == ["serving"]
    supervised.eventually(lambda: _memory(backend), "a sample was taken")
    assert backend.read(HANDLE).memory_bytes > 0
    assert {"process", "directory", "port", "secrets"} == {left.split()[0] for left in backend.leftovers(HANDLE)}
    backend.delete(HANDLE, fence=2)
    supervised.eventually(lambda: not backend.leftovers(HANDLE), "nothing is left")
    backend.apply(Wanted(HANDLE, 3, 2, unit))
    assert backend.read(HANDLE).phase is Phase.ABSENT, "a late wish does not bring it back"
    assert backend.leftovers(HANDLE) == []


def _memory(backend: LocalBackend) -> bool:
    now = datetime.datetime.now(datetime.UTC)
    series = backend.metrics(HANDLE, since=now - datetime.timedelta(minutes=5), until=now)
    return any(found.name == "memory_bytes" and found.unit == "bytes" and found.points for found in series)
