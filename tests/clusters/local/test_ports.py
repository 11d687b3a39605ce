"""Ports: one service each, kept while it lives, apart from other portals on the machine."""

import socket
from collections.abc import Mapping
from pathlib import Path

import pytest

from portal.clusters.backends.local import ports
from portal.clusters.backends.local.ports import Allocator
from portal.core.errors import TemporaryError


class MemoryPortStore:
    """Stands in for the table of reservations. ``lost`` ports go to somebody else at the last moment."""

    def __init__(self, lost: frozenset[int] = frozenset()) -> None:
        self.rows: dict[int, tuple[str, str]] = {}
        self.lost = lost

    def of(self, handle: str) -> Mapping[str, int]:
        return {name: port for port, (owner, name) in self.rows.items() if owner == handle}

    def taken(self) -> set[int]:
        return set(self.rows)

    def add(self, handle: str, name: str, port: int) -> bool:
        if port in self.rows or port in self.lost:
            return False
        self.rows[port] = (handle, name)
        return True

    def release(self, handle: str) -> None:
        self.rows = {port: row for port, row in self.rows.items() if row[0] != handle}


@pytest.fixture(autouse=True)
def every_port_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "bindable", lambda port: True)


def allocator(tmp_path: Path, name: str = "one", store: MemoryPortStore | None = None) -> Allocator:
    (tmp_path / name).mkdir(exist_ok=True)
    return Allocator(store or MemoryPortStore(), tmp_path / name, tmp_path / "claims")


def test_a_service_keeps_its_ports(tmp_path: Path) -> None:
    handing = allocator(tmp_path)
    first = handing.ensure("a", ("main", "admin"))
    assert len(set(first.values())) == 2
    assert handing.ensure("a", ("main", "admin")) == first
    assert handing.ensure("b", ("main",))["main"] not in first.values()
    handing.release("a")
    assert handing.held("a") == {}


def test_two_portals_get_different_blocks(tmp_path: Path) -> None:
    one, two = allocator(tmp_path, "one"), allocator(tmp_path, "two")
    assert one.ensure("a", ("main",))["main"] // ports.BLOCK != two.ensure("a", ("main",))["main"] // ports.BLOCK


def test_the_claim_of_a_directory_that_is_gone_lapses(tmp_path: Path) -> None:
    port = allocator(tmp_path, "one").ensure("a", ("main",))["main"]
    (tmp_path / "one").rmdir()
    assert allocator(tmp_path, "two").ensure("b", ("main",))["main"] == port


def test_a_claim_that_was_cut_off_while_written_lapses(tmp_path: Path) -> None:
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / str(ports.FIRST)).touch()
    assert allocator(tmp_path).ensure("a", ("main",))["main"] == ports.FIRST


def test_a_port_that_another_one_gets_first_is_passed_over(tmp_path: Path) -> None:
    store = MemoryPortStore(lost=frozenset({ports.FIRST}))
    assert allocator(tmp_path, store=store).ensure("a", ("main",))["main"] == ports.FIRST + 1


def test_no_free_port_is_a_temporary_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "bindable", lambda port: False)
    with pytest.raises(TemporaryError, match="No TCP port is free"):
        allocator(tmp_path).ensure("a", ("main",))


def test_a_port_in_use_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.bindable(port)
    assert ports.bindable(port)
